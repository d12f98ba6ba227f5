// The page's side of the library: loads a model, asks it, measures as it goes.

/** The library and whether it can be had at all: the build puts it beside the page. */
export async function openLibrary() {
  try {
    return await import("../pkg/pagelm.js");
  } catch (cause) {
    const error = new Error("The engine is not beside this page (pkg/pagelm.js). Run ./build.sh build, or put the pkg folder where the page is.", { cause });
    error.code = "not_built";
    throw error;
  }
}

/** What the browser holds of a model, or undefined; storage that is refused holds nothing. */
export async function storedCopy(PageLM, url) {
  return (await storedModels(PageLM)).find((entry) => entry.url === url);
}

/** All models that the browser holds. */
export async function storedModels(PageLM) {
  try {
    return await PageLM.models();
  } catch {
    return [];
  }
}

/** Bytes that this site may still store; undefined where the browser does not tell. */
export async function freeRoom(PageLM) {
  const { usage, quota } = await PageLM.storage();
  return quota === null || usage === null ? undefined : Math.max(0, quota - usage);
}

/** Whether this went wrong only because it was told to stop. */
export function wasStopped(error, signal) {
  return signal.aborted || error.code === "aborted" || error.name === "AbortError";
}

/**
 * What an answer cost, in milliseconds from the request.
 *
 * @typedef {object} Trace
 * @property {[tokens: number, ms: number][]} prefill  tokens of the prompt that were done, and when
 * @property {number[]} decode   when each token came
 * @property {number} cached     tokens of the prompt that were not computed again
 * @property {object} [usage]
 * @property {object} [timings]
 */

/**
 * One answer, streamed.
 *
 * @param {object} lm        a loaded model
 * @param {object} request   messages and sampling fields
 * @param {object} options
 * @param {string} options.begun  what there is of the answer already
 * @param {AbortSignal} options.signal
 * @param {object} on        what to do with what comes
 * @param {(done: number, total: number) => void} on.prefill  tokens of the prompt read so far
 * @param {(part: {text: string, reasoning: string}) => void} on.text  a piece
 * @param {(trace: Trace) => void} on.trace the figures so far, with each piece
 * @returns {Promise<{reason: string, trace: Trace}>}
 */
export async function answer(lm, { messages, ...fields }, { begun = "", signal }, on) {
  const start = performance.now();
  const trace = { prefill: [], decode: [], cached: 0 };
  const onProgress = ({ phase, loaded, total }) => {
    if (phase !== "prefill") return;
    trace.prefill.push([loaded, since(start)]);
    on.prefill(loaded, total);
  };
  const request = { ...fields, stream: true, signal, onProgress };
  const stream = begun ? await resumed(lm, messages, begun, request) : await lm.chat.completions.create({ ...request, messages });
  let reason;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    const text = choice?.delta?.content ?? choice?.text ?? "";
    const reasoning = choice?.delta?.reasoning_content ?? "";
    if (text || reasoning) {
      trace.decode.push(since(start));
      on.text({ text, reasoning });
    }
    if (chunk.usage) Object.assign(trace, { usage: chunk.usage, timings: chunk.timings, cached: chunk.usage.prompt_tokens_details?.cached_tokens ?? 0 });
    reason = choice?.finish_reason ?? reason;
    on.trace(trace);
  }
  return { reason, trace };
}

/** An answer that goes on where it ended: the prompt, and its own beginning as if just written. */
async function resumed(lm, messages, begun, request) {
  return lm.completions.create({ ...request, prompt: await tokensOf(lm, messages, begun) });
}

/** The tokens that the model reads: the conversation, and what there is of the answer. */
export async function tokensOf(lm, messages, begun = "") {
  const [{ tokens }, own] = await Promise.all([lm.render(messages), begun ? lm.tokenize(begun) : []]);
  return [...tokens, ...own];
}

function since(start) {
  return Math.round((performance.now() - start) * 10) / 10;
}
