// Tasks that people have other models for, as completions of the one that is loaded.

import { badRequest } from "./errors.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { abortSignal, list, object, plain } from "./request.js";

/** Tokens of an answer that is to be about as long as a text, beside twice its own. */
const SLACK = 32;
/** Tokens of a part of a long text, at most, and of the context. */
const MOST_PART = 1500;
const SHARE_OF_CONTEXT = 0.5;
/** Stands for the text where one asks how probable a label is without it. */
const NOTHING = "N/A";

/** A task is short: a model that may reason or not is not to spend its tokens on that. */
const QUICK = { enable_thinking: false };

/** The tasks of one loaded model. */
export class Tasks {
  #lm;
  #engine;

  constructor(lm, engine) {
    this.#lm = lm;
    this.#engine = engine;
  }

  /** See `PageLM.classify` in pagelm.d.ts. */
  async classify(text, labels, options = {}) {
    const { instruction, examples = [], calibrate = true, prompt = false, signal, onProgress } = object("options", options);
    const names = list("labels", labels);
    const known = list("examples", examples);
    if (known.some((example) => typeof example?.text !== "string" || typeof example.label !== "string")) throw badRequest("`examples` must be objects with the texts `text` and `label`");
    if (names.length < 2 || names.some((label) => typeof label !== "string" || label === "")) throw badRequest("`labels` must be two texts or more");
    const say = instruction ?? `Classify the text as one of: ${names.join(", ")}. Answer with the label alone.`;
    const messages = (subject) => [
      { role: "system", content: say },
      ...known.flatMap((example) => [
        { role: "user", content: example.text },
        { role: "assistant", content: example.label },
      ]),
      { role: "user", content: subject },
    ];
    const hooks = { signal, onProgress };
    // First what lies in the text's own prompt as well: what they share is cached.
    const prior = calibrate ? await this.#rank(messages(NOTHING), names, hooks) : null;
    const posterior = await this.#rank(messages(String(text)), names, hooks);
    const scores = posterior.logprobs.map((logprob, i) => logprob - (prior ? prior.logprobs[i] : 0));
    const best = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - best), 0);
    const ranked = names.map((label, i) => ({ label, probability: Math.exp(scores[i] - best) / total, logprob: posterior.logprobs[i] }));
    ranked.sort((a, b) => b.probability - a.probability);
    return {
      label: ranked[0].label,
      labels: ranked,
      usage: { prompt_tokens: posterior.prompt_tokens, cached_tokens: posterior.cached_tokens },
      ...(prompt && { prompt: messages(String(text)) }),
    };
  }

  /** See `PageLM.translate`. */
  async translate(text, options = {}) {
    const { to, from, prompt = false, ...request } = single(options);
    if (typeof to !== "string" || to === "") throw badRequest("`to` must name the language to translate to");
    const say = `Translate the text${from ? ` from ${from}` : ""} to ${to}. Answer with the translation alone.`;
    return this.#inParts(await this.#parts(String(text)), say, prompt, request);
  }

  /** See `PageLM.summarize`. */
  async summarize(text, options = {}) {
    const { words = 60, prompt = false, ...request } = single(options);
    if (!Number.isInteger(words) || words < 1) throw badRequest("`words` must be a whole number from 1 up");
    const say = (n) => `Summarize the text in at most ${n} words.`;
    const bound = { max_tokens: 3 * words + SLACK };
    const parts = await this.#parts(String(text));
    if (parts.length === 1) return this.#one(parts[0], say(words), prompt, { ...bound, ...request });
    // The summary of the parts' summaries. Each is half its part at most, so that there is an end.
    const hidden = { ...bound, ...request, onText: undefined };
    const before = await this.#inParts(parts, say(Math.max(20, Math.round(words / 2))), prompt, hidden, 0.5);
    // What was cut within a character may take more tokens than it had.
    if ((await this.#lm.tokenize(before.text)).length >= (await this.#lm.tokenize(String(text))).length) return before;
    const last = await this.summarize(before.text, { words, prompt, ...request });
    return { text: last.text, usage: added(before.usage, last.usage), ...(prompt && { prompts: [...before.prompts, ...last.prompts] }) };
  }

  /** One request for each part, joined. */
  async #inParts(parts, say, prompt, options, share) {
    const { onText } = options;
    let done = "";
    let usage = null;
    const prompts = [];
    for (const part of parts) {
      const before = done === "" ? "" : `${done}\n\n`;
      const answer = await this.#one(part, say, prompt, { ...options, onText: onText && ((text) => onText(before + text)) }, share);
      done = before + answer.text;
      usage = added(usage, answer.usage);
      prompts.push(...(answer.prompts ?? []));
    }
    return { text: done, usage, ...(prompt && { prompts }) };
  }

  /** The answer about one part: with `share`, of so much of its tokens at most. */
  async #one(text, say, prompt, { onText, signal, onProgress, ...request }, share) {
    const messages = [
      { role: "system", content: say },
      { role: "user", content: text },
    ];
    const tokens = (await this.#lm.tokenize(text)).length;
    const most = share === undefined ? Infinity : Math.max(1, Math.floor(share * tokens));
    const max_tokens = Math.min(request.max_tokens ?? 2 * tokens + SLACK, most);
    const stream = await this.#lm.chat.completions.create({ temperature: 0, variables: QUICK, ...request, max_tokens, messages, stream: true }, { signal, onProgress });
    let answer = "";
    let usage = null;
    for await (const chunk of stream) {
      answer += chunk.choices[0].delta.content ?? "";
      usage = chunk.usage ?? usage;
      onText?.(answer);
    }
    return { text: answer.trim(), usage, ...(prompt && { prompts: [messages] }) };
  }

  /** A text in parts that fit, cut at paragraphs, else at sentences, else anywhere. */
  async #parts(text) {
    const budget = Math.max(32, Math.min(MOST_PART, Math.floor((this.#lm.info.context * SHARE_OF_CONTEXT) / 2)));
    const parts = [];
    let open = "";
    let size = 0;
    const add = async (piece, cuts) => {
      const tokens = (await this.#lm.tokenize(piece)).length;
      if (tokens > budget && piece.length > 1) {
        const [cut, ...finer] = cuts.length > 0 ? cuts : [(long) => [long.slice(0, long.length >> 1), long.slice(long.length >> 1)]];
        for (const smaller of cut(piece)) await add(smaller, finer);
        return;
      }
      if (size + tokens > budget) close();
      open += piece;
      size += tokens;
    };
    const close = () => {
      if (open.trim() !== "") parts.push(open.trim());
      open = "";
      size = 0;
    };
    const paragraphs = (long) => long.split(/(?<=\n\s*\n)/);
    const sentences = (long) => long.split(/(?<=[.!?。！？]\s)/u);
    await add(text, [paragraphs, sentences]);
    close();
    return parts.length > 0 ? parts : [""];
  }

  #rank(messages, continuations, { signal, onProgress }) {
    const onAnswer = ({ type, phase, loaded, total }) => {
      if (type === ANSWER.PROGRESS) onProgress?.({ phase, loaded, total });
    };
    return this.#engine.request({ type: REQUEST.RANK, ...plain({ messages, continuations }) }, { signal: abortSignal(signal), onAnswer });
  }
}

/** The options of a task that has one answer. */
function single(options) {
  const { n } = object("options", options);
  if (n != null && n !== 1) throw badRequest("a task has one answer, so `n` must be 1");
  return options;
}

function added(a, b) {
  if (!a || !b) return a ?? b;
  const sum = (name) => a[name] + b[name];
  return {
    prompt_tokens: sum("prompt_tokens"),
    completion_tokens: sum("completion_tokens"),
    total_tokens: sum("total_tokens"),
    prompt_tokens_details: { cached_tokens: a.prompt_tokens_details.cached_tokens + b.prompt_tokens_details.cached_tokens },
  };
}
