// transformers.js (ONNX Runtime compiled to wasm), on the CPU, weights in 8 bits.
// Runs in the page; ../tab.mjs says what the three functions are. `onnx` is the
// address of the folder with the model as its authors publish it on the hub.

import { AutoModelForCausalLM, AutoTokenizer, BaseStreamer, env } from "../transformers/node_modules/@huggingface/transformers/dist/transformers.min.js";

const RUNTIME = new URL("../transformers/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded", import.meta.url).href;

let tokenizer;
let model;

/** Loads from the network on the first call in a profile, from its cache (Cache API) afterwards. */
export async function load({ onnx, threads }) {
  const folder = new URL(onnx);
  env.remoteHost = folder.origin;
  env.remotePathTemplate = "{model}/";
  // The build without asyncify, which only WebGPU needs.
  env.backends.onnx.wasm.wasmPaths = { mjs: `${RUNTIME}.mjs`, wasm: `${RUNTIME}.wasm` };
  env.backends.onnx.wasm.numThreads = threads;
  const name = folder.pathname.replace(/^\/|\/$/g, "");
  tokenizer = await AutoTokenizer.from_pretrained(name);
  model = await AutoModelForCausalLM.from_pretrained(name, { device: "wasm", dtype: "q8" });
  return { variant: "q8", threads };
}

/** The prompt alone: until the first generated token, because that is what ends the prefill. */
export async function prefill(prompt) {
  const input = tokenizer(prompt);
  const start = performance.now();
  const { times } = await generate(input, 1);
  return { tokens: input.input_ids.dims.at(-1), ms: times[0] - start };
}

/** `count` greedy tokens; the time is from the first token's arrival to the last one's. */
export async function decode(prompt, count) {
  const { times } = await generate(tokenizer(prompt), count);
  return { tokens: times.length - 1, ms: times.at(-1) - times[0] };
}

async function generate(input, count) {
  const streamer = new Clock();
  // min_new_tokens keeps the end token from coming before.
  await model.generate({ ...input, max_new_tokens: count, min_new_tokens: count, do_sample: false, streamer });
  return streamer;
}

/** Notes when each generated token came. The first thing put is the prompt. */
class Clock extends BaseStreamer {
  times = [];
  #prompted = false;

  put() {
    if (this.#prompted) this.times.push(performance.now());
    this.#prompted = true;
  }

  end() {}
}
