// Measures a loaded model on this device: prefill, and decode by length of
// context, by the page's clock around the library's own interface.

/** Tokens of each part; where `?tokens=N` is given, N of each, for a test. */
export function lengthsFrom(search) {
  const asked = Number(new URLSearchParams(search).get("tokens"));
  return asked >= 4 ? { prefill: asked, decode: asked, depth: asked } : { prefill: 512, decode: 64, depth: 1000 };
}

/** What is measured, in this order. */
export const MEASURES = Object.freeze([
  { key: "prefill", run: prefill },
  { key: "short", run: decodeAfter(() => SHORT) },
  { key: "deep", run: decodeAfter(({ depth }) => depth) },
]);

/** Positions of the KV cache: enough for all. */
export const CONTEXT = 2048;

/** As PageLM.load has them. */
const MOST_THREADS = 16;
const USUAL_THREADS = 4;
const SHORT = 16;
const WARM_UP = { prefill: 64, decode: 8, depth: 8 };
const REPETITIONS = 3;
/** A slow device need not repeat what took this long. */
const ENOUGH_MS = 20_000;
/** Without drafts: how many of them hold depends on the text, and this one repeats itself. */
const REQUEST = { temperature: 0, prompt_lookup: false };
const WORDS = "time people water house world school family number place country night point week work story money book eye side car ";

/**
 * @param {object} lm        a loaded model
 * @param {object} lengths   of lengthsFrom
 * @param {AbortSignal} signal
 * @param {(key?: string) => void} begins hears of the warm-up, and of each measure before it runs
 * @returns {Promise<Record<string, number[]>>} tokens a second of each repetition, by key
 */
export async function measure(lm, lengths, signal, begins) {
  begins();
  const tokens = await someTokens(lm, Math.max(lengths.prefill, lengths.depth, WARM_UP.prefill));
  await prefill(lm, tokens, WARM_UP, signal);
  await decodeAfter(({ depth }) => depth)(lm, tokens, WARM_UP, signal);
  const rates = {};
  for (const { key, run } of MEASURES) {
    begins(key);
    rates[key] = await repeated(() => run(lm, tokens, lengths, signal));
  }
  return rates;
}

/** Numbers of threads to measure with: all, as many as the library takes by itself, and one. */
export function threadCounts() {
  if (!globalThis.crossOriginIsolated) return [1];
  const cores = navigator.hardwareConcurrency || 1;
  return [...new Set([Math.min(cores, MOST_THREADS), Math.min(cores, USUAL_THREADS), 1])];
}

/** The one in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Tokens a second from the request to the first token, which ends the prefill. */
async function prefill(lm, tokens, { prefill: length }, signal) {
  const start = performance.now();
  await lm.completions.create({ ...REQUEST, prompt: tokens.slice(0, length), max_tokens: 1, cache_prompt: false, signal });
  return (length * 1000) / (performance.now() - start);
}

/** Tokens a second after the first. The prompt is computed once: repetitions find it in the KV cache. */
function decodeAfter(depthOf) {
  return async (lm, tokens, lengths, signal) => {
    const prompt = tokens.slice(0, depthOf(lengths));
    const stream = await lm.completions.create({ ...REQUEST, prompt, max_tokens: lengths.decode, ignore_eos: true, stream: true, signal });
    let first;
    let last;
    for await (const chunk of stream) {
      first ??= performance.now();
      last = chunk;
    }
    return ((last.usage.completion_tokens - 1) * 1000) / (performance.now() - first);
  };
}

async function repeated(once) {
  const rates = [];
  const start = performance.now();
  do rates.push(await once());
  while (rates.length < REPETITIONS && performance.now() - start < ENOUGH_MS);
  return rates;
}

async function someTokens(lm, count) {
  const words = await lm.tokenize(WORDS);
  return Array.from({ length: count }, (_, i) => words[i % words.length]);
}
