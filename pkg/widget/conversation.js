// The turns of one widget's chat, and how a question is asked.

/** Tokens that passages may take, at most, and of the context. */
const MOST_PASSAGES = 900;
const SHARE_OF_CONTEXT = 0.4;

export class Conversation {
  /** { role, content, sources? } */
  messages = [];

  clear() {
    this.messages = [];
  }

  /**
   * @param {object} lm        a PageLM
   * @param {string} question
   * @param {object} settings  system, context, and fields of the request
   * @param {object} hooks     signal, onProgress(share of the prompt), onText(text so far)
   * @returns {Promise<{ text: string, sources: object[], finish_reason: string, usage: object, timings: object }>}
   */
  async ask(lm, question, { system, context, ...request }, { signal, onProgress, onText }) {
    // What is cleared meanwhile stays cleared.
    const { messages: turns } = this;
    const { sources, content } = context ? await this.#grounded(lm, context, question) : { sources: [], content: question };
    const asked = { role: "user", content };
    const before = turns.map(({ role, content }) => ({ role, content }));
    let text = "";
    let last;
    const prefill = ({ loaded, total }) => onProgress(loaded / total);
    for (;;) {
      const messages = [...(system ? [{ role: "system", content: system }] : []), ...before, asked];
      try {
        const stream = await lm.chat.completions.create({ ...request, messages, stream: true }, { signal, onProgress: prefill });
        for await (const chunk of stream) {
          text += chunk.choices[0].delta.content ?? "";
          last = chunk;
          onText(text);
        }
        break;
      } catch (error) {
        if (error.code === "context_overflow" && before.length > 0) before.splice(0, 2);
        else if (error.name === "AbortError" && text !== "") break; // what there is stays
        else throw error;
      }
    }
    turns.push({ role: "user", content: question }, { role: "assistant", content: text });
    const { finish_reason = "abort" } = last?.choices[0] ?? {};
    return { text, sources: links(sources), finish_reason: finish_reason ?? "abort", usage: last?.usage, timings: last?.timings };
  }

  /** The passages that a question is about, and the question with them. What finds them is fetched by now. */
  async #grounded(lm, context, question) {
    const { groundedQuestion, passages, relevant } = await import("./passages.js");
    const earlier = this.messages.findLast(({ role }) => role === "user")?.content ?? "";
    const budget = Math.min(MOST_PASSAGES, Math.floor(lm.info.context * SHARE_OF_CONTEXT));
    const measure = async (text) => (await lm.tokenize(text)).length;
    const all = passages(context);
    const found = await relevant(all, question, measure, budget);
    // "And how much is it?" is about what was asked before.
    const sources = found.length > 0 || earlier === "" ? found : await relevant(all, earlier, measure, budget);
    return { sources, content: groundedQuestion(question, sources, document.title) };
  }
}

/** One link for each place of the page. */
function links(sources) {
  const places = new Map();
  for (const { heading, text, element, anchor } of sources) {
    const title = heading || `${text.slice(0, 60)}…`;
    if (!places.has(title)) places.set(title, { title, text, element, href: anchor ? `#${encodeURIComponent(anchor)}` : null });
  }
  return [...places.values()];
}
