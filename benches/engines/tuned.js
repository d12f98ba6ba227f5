// What llama.cpp's CPU path in wasm is fastest with, for both wllamas: no flash
// attention, and keys and values in f32, as wasm has no arithmetic in f16.

export const TUNED = { flash_attn: false, cache_type_k: "f32", cache_type_v: "f32" };
