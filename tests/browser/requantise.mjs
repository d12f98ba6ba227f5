// A model's Q4_1 matrices in another format; all else stays. Blocks are of 32 weights. Q4_0, Q5_0
// and Q8_0 are as llama.cpp's quantize makes them (formulas: ggml-quants.c, the `_ref` functions).
// Q5_1 is not: the Q4_1 is widened without loss, where quantize would round its weights anew.

import { TYPE, readGguf, writeGguf } from "./gguf.mjs";

const BLOCK = 32;
const HALF = BLOCK / 2;
const Q4_1_BYTES = 4 + HALF;
const { fround } = Math;

/** How a block is written: its bytes, and from what: 32 weights, or the block of Q4_1 itself. */
const FORMATS = {
  Q4_0: { bytes: 2 + HALF, write: (out, { weights }) => symmetric(out, weights, 8) },
  Q5_0: { bytes: 6 + HALF, write: (out, { weights }) => symmetric(out, weights, 16) },
  Q5_1: { bytes: 8 + HALF, write: (out, { block }) => widen(out, block) },
  Q8_0: { bytes: 2 + BLOCK, write: (out, { weights }) => eightBits(out, weights) },
};

/**
 * @param {Buffer} file a GGUF file
 * @param {"Q4_0" | "Q5_0" | "Q5_1" | "Q8_0"} format of Q5_1 the weights are the very same
 * @returns {Buffer}
 */
export function requantise(file, format) {
  const { rest, tensors } = readGguf(file);
  const converted = tensors.map((tensor) => {
    if (tensor.type !== TYPE.Q4_1) return tensor;
    const n = tensor.dims.reduce((a, b) => a * b, 1) / BLOCK;
    return { ...tensor, type: TYPE[format], data: blocks(tensor.data, n, FORMATS[format]) };
  });
  return writeGguf({ metadata: {}, rest, tensors: converted });
}

function blocks(data, n, { bytes, write }) {
  const out = Buffer.alloc(n * bytes);
  const weights = new Float32Array(BLOCK);
  for (let b = 0; b < n; b++) {
    const block = data.subarray(b * Q4_1_BYTES, (b + 1) * Q4_1_BYTES);
    const [d, m] = [fromHalf(block.readUInt16LE(0)), fromHalf(block.readUInt16LE(2))];
    for (let i = 0; i < HALF; i++) {
      weights[i] = (block[4 + i] & 15) * d + m;
      weights[i + HALF] = (block[4 + i] >> 4) * d + m;
    }
    write(out.subarray(b * bytes, (b + 1) * bytes), { weights, block });
  }
  return out;
}

/** Integers of 4 or 5 bits, `middle` standing for 0: the weight farthest from 0 becomes the lowest. */
function symmetric(out, weights, middle) {
  let far = 0;
  for (let i = 0; i < BLOCK; i++) if (Math.abs(weights[i]) > Math.abs(far)) far = weights[i];
  const d = fround(far / -middle);
  const inverse = d === 0 ? 0 : fround(1 / d);
  const nibbles = out.length - HALF;
  let fifth = 0;
  for (let i = 0; i < BLOCK; i++) {
    const q = Math.min(2 * middle - 1, Math.trunc(fround(fround(weights[i] * inverse) + middle + 0.5)));
    fifth |= (q >> 4) << i;
    out[nibbles + (i % HALF)] |= (q & 15) << (i < HALF ? 0 : 4);
  }
  out.writeUInt16LE(toHalf(d), 0);
  if (middle === 16) out.writeUInt32LE(fifth >>> 0, 2);
}

/** Q4_1 as Q5_1: the fifth bits are 0. */
function widen(out, block) {
  block.copy(out, 0, 0, 4);
  block.copy(out, 8, 4);
}

function eightBits(out, weights) {
  let max = 0;
  for (let i = 0; i < BLOCK; i++) max = Math.max(max, Math.abs(weights[i]));
  const d = fround(max / 127);
  const inverse = d === 0 ? 0 : fround(1 / d);
  out.writeUInt16LE(toHalf(d), 0);
  for (let i = 0; i < BLOCK; i++) {
    const scaled = fround(weights[i] * inverse);
    out[2 + i] = Math.sign(scaled) * Math.round(Math.abs(scaled));
  }
}

/** IEEE binary16, finite. */
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** To nearest, ties to even. */
function toHalf(x) {
  const magnitude = Math.abs(x);
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  const scaled = magnitude * 2 ** (10 - exponent); // below 2048
  const floor = Math.floor(scaled);
  const odd = scaled - floor === 0.5 ? floor & 1 : Number(scaled - floor > 0.5);
  const bits = magnitude === 0 ? 0 : floor + odd + (exponent + 14) * 1024; // a carry reaches the exponent
  return (x < 0 || Object.is(x, -0) ? 0x8000 : 0) | bits;
}
