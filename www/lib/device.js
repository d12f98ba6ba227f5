// What a model needs and whether this device has it, as far as browsers tell.

/** Packed weights are about the file's size; activations, tables and the page itself come on top. */
const WEIGHTS_FACTOR = 1.1;
const OVERHEAD = 60e6;
/** wasm's own limit. */
const WASM_LIMIT = 4 * 2 ** 30;
/** A page that takes more of the device's memory than this is likely to be ended. */
const SHARE = 0.5;

/** Bytes of memory that a model of this size takes, about; undefined if the size is not known. */
export function memoryNeed({ memory, bytes }) {
  return memory ?? (bytes ? bytes * WEIGHTS_FACTOR + OVERHEAD : undefined);
}

/** Bytes of memory that a loaded model takes: what the list of models and the gate tell before, as `PageLM.preflight` does. */
export function memoryTaken({ weights, kv_cache, scratch }) {
  return weights + kv_cache + scratch;
}

/** @returns {"fits" | "tight" | "too large" | "unknown"} */
export function fit(need, device = navigator.deviceMemory) {
  if (need === undefined) return "unknown";
  if (need > WASM_LIMIT) return "too large";
  // Browsers report at most 8 GB, and some nothing.
  if (!device) return need < 1e9 ? "fits" : "unknown";
  const has = device * 2 ** 30;
  if (need <= has * SHARE) return "fits";
  return need <= has ? "tight" : device >= 8 ? "tight" : "too large";
}

export const FIT_WORDS = Object.freeze({
  fits: "this device has it",
  tight: "this may be more than this device can spare",
  "too large": "more than this device can give a page",
  unknown: "this browser does not tell whether the device has it",
});
