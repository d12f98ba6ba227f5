// A model's Q4_1 matrices in another format, as llama.cpp's quantize makes them (formulas:
// ggml-quants.c, the `_ref` functions); all else stays. Blocks are of 32 weights.

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
  const far = weights.reduce((far, x) => (Math.abs(x) > Math.abs(far) ? x : far), 0);
  const d = fround(far / -middle);
  const inverse = d === 0 ? 0 : fround(1 / d);
  const q = Array.from(weights, (x) => Math.min(2 * middle - 1, Math.trunc(fround(fround(x * inverse) + middle + 0.5))));
  out.writeUInt16LE(toHalf(d), 0);
  if (middle === 16) out.writeUInt32LE(q.reduce((bits, q, i) => bits | ((q >> 4) << i), 0) >>> 0, 2);
  const nibbles = out.subarray(out.length - HALF);
  for (let i = 0; i < HALF; i++) nibbles[i] = (q[i] & 15) | ((q[i + HALF] & 15) << 4);
}

/** Q4_1 as Q5_1: the fifth bits are 0. */
function widen(out, block) {
  block.copy(out, 0, 0, 4);
  block.copy(out, 8, 4);
}

function eightBits(out, weights) {
  const d = fround(weights.reduce((max, x) => Math.max(max, Math.abs(x)), 0) / 127);
  const inverse = d === 0 ? 0 : fround(1 / d);
  out.writeUInt16LE(toHalf(d), 0);
  weights.forEach((x, i) => {
    const scaled = fround(x * inverse);
    out.writeInt8(Math.sign(scaled) * Math.round(Math.abs(scaled)), 2 + i);
  });
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
