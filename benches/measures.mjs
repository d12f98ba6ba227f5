// What is measured, by name. prefill-N and decode-N exist for every N.

const KINDS = {
  network: { title: () => "load from the network, s", digits: 2 },
  cache: { title: () => "load from the cache, s", digits: 2 },
  first: { title: () => `load from the cache and first token of ${FIRST_PROMPT}, s`, digits: 2 },
  prefill: { title: (tokens) => `prefill of ${grouped(tokens)} tokens, tok/s`, higher: true, digits: 1 },
  decode: { title: (tokens) => `decode ${tokens === 0 ? "at short context" : `after ${grouped(tokens)} tokens`}, tok/s`, higher: true, digits: 1 },
  memory: { title: () => "peak memory, MiB", digits: 0 },
  wasm: { title: () => "wasm fetched, MB", digits: 2 },
};
/** Tokens of the prompt whose first answer ends `first`. */
export const FIRST_PROMPT = 20;
const NAME = /^(?:(network|cache|first|memory|wasm)|(prefill|decode)-(short|\d+))$/;

export const EVERY = ["network", "cache", "first", "prefill-512", "prefill-2000", "decode-short", "decode-1000", "decode-4000", "memory", "wasm"];
export const QUICK = ["network", "cache", "prefill-512", "decode-short", "wasm"];

/** A core that is kept busy slows all alike; these show how much, and end in reasonable time. */
const BUSY_LONGEST = 1000;

/** Positions beside the words of the prompt and what is generated: words are not always one token. */
const SPARE = 256;
const CONTEXT_STEP = 512;
const LEAST_CONTEXT = 2048;

/**
 * @param {string} name network, cache, first, memory, wasm, prefill-N, decode-N or decode-short
 * @returns {{name: string, kind: string, tokens: number, title: string, higher: boolean, digits: number}}
 *          tokens: length of the prompt, 0 for a short one; higher: whether more is better
 */
export function measure(name) {
  const [, plain, sized, length] = NAME.exec(name) ?? [];
  const kind = plain ?? sized;
  const tokens = Number(length) || 0;
  if (!kind || (kind === "prefill" && tokens === 0)) {
    throw new Error(`No measure ${name}; there are ${EVERY.join(", ")}, and prefill-N and decode-N for every N.`);
  }
  const { title, higher = false, digits } = KINDS[kind];
  return { name, kind, tokens, title: title(tokens), higher, digits };
}

export function isSpeed({ kind }) {
  return kind === "prefill" || kind === "decode";
}

/** Those that make sense while another process keeps a core busy. */
export function whileBusy(measures) {
  return measures.filter((measure) => isSpeed(measure) && measure.tokens <= BUSY_LONGEST);
}

/** Positions of the KV cache that all of these need. */
export function contextFor(measures, decodeTokens) {
  const longest = Math.max(...measures.map(({ tokens }) => tokens)) + decodeTokens + SPARE;
  return Math.max(LEAST_CONTEXT, Math.ceil(longest / CONTEXT_STEP) * CONTEXT_STEP);
}

function grouped(tokens) {
  return tokens.toLocaleString("en");
}
