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

/** Whether this went wrong only because it was told to stop. */
export function wasStopped(error, signal) {
  return signal.aborted || error.code === "aborted" || error.name === "AbortError";
}

/**
 * One answer, streamed.
 *
 * @param {object} lm        a loaded model
 * @param {object} request   messages and sampling fields
 * @param {AbortSignal} signal
 * @param {object} on        what to do with what comes
 * @param {(done: number, total: number) => void} on.prefill  tokens of the prompt read so far
 * @param {(text: string, tokens: number, ms: number) => void} on.text  a piece, the count of pieces so far, time since the first
 * @returns {Promise<{reason: string, usage: object, timings: object}>} of the last chunk
 */
export async function answer(lm, request, signal, on) {
  const onProgress = ({ phase, loaded, total }) => phase === "prefill" && on.prefill(loaded, total);
  const stream = await lm.chat.completions.create({ ...request, stream: true, signal, onProgress });
  let tokens = 0;
  let first = 0;
  let last = {};
  for await (const chunk of stream) {
    last = chunk;
    const text = chunk.choices[0]?.delta?.content;
    if (!text) continue;
    if (tokens === 0) first = performance.now();
    tokens += 1;
    on.text(text, tokens, performance.now() - first);
  }
  return { reason: last.choices?.[0]?.finish_reason, usage: last.usage, timings: last.timings };
}
