// wllama 3 (llama.cpp compiled to wasm), on the CPU. Runs in the page; ../tab.mjs
// says what the three functions are.

import { Wllama } from "../node_modules/@wllama/wllama/esm/index.js";

const WASM = new URL("../node_modules/@wllama/wllama/esm/wasm/wllama.wasm", import.meta.url).href;
const REQUEST = { temperature: 0, cache_prompt: false };

let wllama;

export const load = (job) => loadWith(job, {});

/** Loads from the network on the first call in a profile, from its cache (OPFS) afterwards. */
export async function loadWith({ url, threads, context }, settings) {
  wllama = new Wllama({ default: WASM }, { suppressNativeLog: true });
  // n_gpu_layers 0 keeps it off WebGPU; one sequence, as the others have.
  await wllama.loadModelFromUrl(url, { n_ctx: context, n_threads: threads, n_gpu_layers: 0, n_parallel: 1, ...settings });
  return { variant: wllama.isMultithread() ? "threads" : "single", threads: wllama.getNumThreads() };
}

/** The prompt alone: one token is generated, because that is what ends the prefill. */
export async function prefill(prompt) {
  const start = performance.now();
  const { usage } = await wllama.createCompletion({ ...REQUEST, prompt, max_tokens: 1 });
  return { tokens: usage.prompt_tokens, ms: performance.now() - start };
}

/** `count` greedy tokens; the time is from the first token's arrival to the end. */
export async function decode(prompt, count) {
  const stream = await wllama.createCompletion({ ...REQUEST, prompt, max_tokens: count, ignore_eos: true, stream: true });
  let first;
  let chunks = 0;
  let last;
  for await (const chunk of stream) {
    first ??= performance.now();
    if (chunk.choices[0]?.finish_reason == null) chunks += 1;
    last = chunk;
  }
  const ms = performance.now() - first;
  return { tokens: (last.timings?.predicted_n ?? chunks) - 1, ms };
}
