// The last wllama 2 (llama.cpp compiled to wasm). Runs in the page; ../tab.mjs
// says what the three functions are.

import { Wllama } from "../node_modules/wllama2/esm/index.js";

const at = (file) => new URL(`../node_modules/wllama2/esm/${file}`, import.meta.url).href;
const WASM = {
  "single-thread/wllama.wasm": at("single-thread/wllama.wasm"),
  "multi-thread/wllama.wasm": at("multi-thread/wllama.wasm"),
};

let wllama;

export const load = (job) => loadWith(job, {});

/** Loads from the network on the first call in a profile, from its cache (OPFS) afterwards. */
export async function loadWith({ url, threads, context }, settings) {
  wllama = new Wllama(WASM, { suppressNativeLog: true });
  await wllama.loadModelFromUrl(url, { n_ctx: context, n_threads: threads, ...settings });
  return { variant: wllama.isMultithread() ? "threads" : "single", threads: wllama.isMultithread() ? wllama.getNumThreads() : 1 };
}

/** The prompt alone: until the first generated token, because that is what ends the prefill. */
export async function prefill(prompt) {
  const tokens = (await wllama.tokenize(prompt)).length;
  const start = performance.now();
  const { first } = await generate(prompt, 1);
  return { tokens, ms: first - start };
}

/** `count` greedy tokens; the time is from the first token's arrival to the last one's. */
export async function decode(prompt, count) {
  const { first, last, tokens } = await generate(prompt, count);
  return { tokens: tokens - 1, ms: last - first };
}

/** When the first and the last token came, and how many. */
async function generate(prompt, count) {
  const stream = await wllama.createCompletion(prompt, { nPredict: count, sampling: greedy(), useCache: false, stream: true });
  let first;
  let last;
  let tokens = 0;
  for await (const _ of stream) {
    last = performance.now();
    first ??= last;
    tokens += 1;
  }
  return { first, last, tokens };
}

/** It has no setting to ignore the end tokens, so they are made improbable. */
function greedy() {
  const ends = wllama.getLoadedContextInfo().list_tokens_eog;
  return { temp: 0, logit_bias: ends.map((token) => ({ token, bias: -1e6 })) };
}
