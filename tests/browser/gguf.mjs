// A small GGUF v3 writer (format: ggml/docs/gguf.md) for models that no converter
// would make, and the smallest sound `llama` model, whose variations they are.

import { randomBytes } from "node:crypto";

const MAGIC = 0x46554747; // "GGUF", little-endian
const ALIGNMENT = 32;

/** GGML tensor type numbers used here. 4 was Q4_2, which was withdrawn. */
export const TYPE = { F32: 0, F16: 1, Q4_0: 2, Q4_1: 3, WITHDRAWN: 4, Q5_0: 6, Q5_1: 7, Q8_0: 8, Q1_0: 41 };

const VALUE = { u32: 4, f32: 6, bool: 7, string: 8, array: 9 };

export const u32 = (value) => ({ kind: "u32", value });
export const f32 = (value) => ({ kind: "f32", value });
export const bool = (value) => ({ kind: "bool", value });
export const string = (value) => ({ kind: "string", value });
export const array = (kind, value) => ({ kind: "array", of: kind, value });

/**
 * Serialises a model.
 *
 * @param {object} model
 * @param {object} model.metadata  key → one of the values above, in this order
 * @param {{keys: number, bytes: Buffer}} [model.rest] further pairs, as they stand in a file
 * @param {{name: string, dims: number[], type: number, data: Buffer}[]} model.tensors
 * @param {object} [lies]          what the header says in place of the truth
 * @param {number} [lies.magic]
 * @param {number} [lies.version]
 * @param {bigint} [lies.tensorCount]
 */
export function writeGguf(model, lies = {}) {
  const data = new Writer();
  for (const tensor of model.tensors) {
    data.pad(ALIGNMENT);
    data.bytes(tensor.data);
  }
  data.pad(ALIGNMENT);
  return Buffer.concat([writeHeader(model, lies), data.buffer()]);
}

/** What stands before the data; a tensor may have its `size` in place of `data`. */
export function writeHeader({ metadata, rest = { keys: 0, bytes: Buffer.alloc(0) }, tensors }, lies = {}) {
  const head = new Writer();
  head.u32(lies.magic ?? MAGIC);
  head.u32(lies.version ?? 3);
  head.u64(lies.tensorCount ?? BigInt(tensors.length));
  head.u64(BigInt(Object.keys(metadata).length + rest.keys));
  for (const [key, entry] of Object.entries(metadata)) {
    head.string(key);
    head.u32(VALUE[entry.kind]);
    head.value(entry);
  }
  head.bytes(rest.bytes);
  let offset = 0;
  for (const tensor of tensors) {
    head.string(tensor.name);
    head.u32(tensor.dims.length);
    for (const dim of tensor.dims) head.u64(BigInt(dim));
    head.u32(tensor.type);
    head.u64(BigInt(offset));
    offset += Math.ceil((tensor.size ?? tensor.data.length) / ALIGNMENT) * ALIGNMENT;
  }
  head.pad(ALIGNMENT);
  return head.buffer();
}

/** The files of a split model, with so many tensors in each. */
export function splitGguf({ metadata, tensors }, sizes) {
  let start = 0;
  return sizes.map((size, no) => {
    const split = { "split.no": u32(no), "split.count": u32(sizes.length), "split.tensors.count": u32(tensors.length) };
    const part = { metadata: no === 0 ? { ...metadata, ...split } : split, tensors: tensors.slice(start, start + size) };
    start += size;
    return writeGguf(part);
  });
}

/** A GGUF file's bytes as a split model of `count` files with about as many tensors each. */
export function splitFile(file, count) {
  const { rest, tensors } = readGguf(file);
  const size = Math.ceil(tensors.length / count);
  return Array.from({ length: count }, (_, no) => {
    const metadata = { "split.no": u32(no), "split.count": u32(count), "split.tensors.count": u32(tensors.length) };
    return writeGguf({ metadata, rest: no === 0 ? rest : undefined, tensors: tensors.slice(no * size, (no + 1) * size) });
  });
}

/** The tensors of a file, and its key-value pairs as they stand there. */
export function readGguf(file) {
  const SIZE = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
  let at = 8;
  const u32 = () => file.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(file.readBigUInt64LE((at += 8) - 8));
  const string = () => {
    const length = u64();
    return file.toString("utf8", at, (at += length));
  };
  const skip = (type) => {
    if (type === VALUE.string) string();
    else if (type === VALUE.array) {
      const [of, n] = [u32(), u64()];
      for (let i = 0; i < n; i++) skip(of);
    } else at += SIZE[type];
  };
  const [n, keys] = [u64(), u64()];
  const start = at;
  for (let i = 0; i < keys; i++) {
    string();
    skip(u32());
  }
  const rest = { keys, bytes: file.subarray(start, at) };
  const tensors = Array.from({ length: n }, () => {
    const name = string();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const data = file.subarray(Math.ceil(at / ALIGNMENT) * ALIGNMENT);
  tensors.forEach((tensor, i) => (tensor.data = data.subarray(tensor.offset, tensors[i + 1]?.offset)));
  return { rest, tensors };
}

/** The smallest sound `llama`: one layer of random F32 weights, a byte-level vocabulary. */
export function tinyLlama() {
  const [embd, ff, heads, layers] = [64, 96, 2, 1];
  const tokens = [...byteAlphabet(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  while (tokens.length % 32 !== 0) tokens.push(`<|unused${tokens.length}|>`);
  const types = tokens.map((_, id) => (id < 256 ? 1 : 3)); // 1 normal, 3 control
  const metadata = {
    "general.architecture": string("llama"),
    "general.name": string("tiny"),
    "llama.context_length": u32(256),
    "llama.embedding_length": u32(embd),
    "llama.block_count": u32(layers),
    "llama.feed_forward_length": u32(ff),
    "llama.attention.head_count": u32(heads),
    "llama.attention.head_count_kv": u32(heads),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.dimension_count": u32(embd / heads),
    "llama.rope.freq_base": f32(10000),
    "llama.vocab_size": u32(tokens.length),
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("smollm"),
    "tokenizer.ggml.tokens": array("string", tokens),
    "tokenizer.ggml.token_type": array("i32", types),
    "tokenizer.ggml.merges": array("string", []),
    "tokenizer.ggml.bos_token_id": u32(256),
    "tokenizer.ggml.eos_token_id": u32(258),
    "tokenizer.ggml.add_bos_token": bool(false),
  };
  const random = generator(1);
  const weight = (name, ...dims) => ({ name, dims, type: TYPE.F32, data: noise(random, dims, 0.05) });
  const norm = (name) => ({ name, dims: [embd], type: TYPE.F32, data: constant(embd, 1) });
  const tensors = [
    weight("token_embd.weight", embd, tokens.length),
    norm("blk.0.attn_norm.weight"),
    weight("blk.0.attn_q.weight", embd, embd),
    weight("blk.0.attn_k.weight", embd, embd),
    weight("blk.0.attn_v.weight", embd, embd),
    weight("blk.0.attn_output.weight", embd, embd),
    norm("blk.0.ffn_norm.weight"),
    weight("blk.0.ffn_gate.weight", embd, ff),
    weight("blk.0.ffn_up.weight", embd, ff),
    weight("blk.0.ffn_down.weight", ff, embd),
    norm("output_norm.weight"),
  ];
  return { metadata, tensors };
}

let padding;

/** A sound model of 24 MiB that do not shrink when the database compresses what it stores; another for each `n`. */
export function padded(n) {
  padding ??= randomBytes(25 * 2 ** 20).buffer;
  const model = tinyLlama();
  model.metadata["general.padding"] = array("i32", new Int32Array(padding, 4096 * n, 6 * 2 ** 20));
  return writeGguf(model);
}

/** The tiny model under another architecture's name. */
export function tinyAs(architecture) {
  const { metadata, tensors } = tinyLlama();
  const renamed = Object.entries(metadata).map(([key, entry]) => [key.replace(/^llama\./, `${architecture}.`), entry]);
  return { metadata: { ...Object.fromEntries(renamed), "general.architecture": string(architecture) }, tensors };
}

/**
 * The tiny model as one that says a text whenever it meets `start`, token by token: a one-hot
 * embedding, layers that add nothing, and a head that knows for each token the next. The
 * words become tokens of their own, as the byte-level alphabet writes them, and occur once.
 *
 * @param {number} start     an id
 * @param {string[]} words
 * @param {string} template  the chat template
 */
export function recitingLlama(start, words, template) {
  const { metadata, tensors } = tinyLlama();
  const first = 259; // behind the bytes and the special tokens
  const [tokens, types] = ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type"].map((key) => [...metadata[key].value]);
  words.forEach((word, i) => {
    tokens[first + i] = word.replaceAll("\n", "Ċ").replaceAll(" ", "Ġ");
    types[first + i] = 1;
  });
  const [end, embd] = [metadata["tokenizer.ggml.eos_token_id"].value, metadata["llama.embedding_length"].value];
  const chain = [start, ...words.map((_, i) => first + i), end];
  const rows = (at) => {
    const data = Buffer.alloc(4 * embd * tokens.length);
    chain.forEach((token, i) => at(i) >= 0 && data.writeFloatLE(1, 4 * (token * embd + at(i))));
    return data;
  };
  const changed = tensors.map((tensor) => {
    if (tensor.name === "token_embd.weight") return { ...tensor, data: rows((i) => i) };
    return tensor.name.includes("norm") ? tensor : { ...tensor, data: Buffer.alloc(tensor.data.length) };
  });
  const head = { name: "output.weight", dims: [embd, tokens.length], type: TYPE.F32, data: rows((i) => i - 1) };
  return {
    metadata: {
      ...metadata,
      "tokenizer.ggml.tokens": array("string", tokens),
      "tokenizer.ggml.token_type": array("i32", types),
      "tokenizer.chat_template": string(template),
    },
    tensors: [...changed, head],
  };
}

class Writer {
  #parts = [];
  length = 0;

  bytes(buffer) {
    this.#parts.push(buffer);
    this.length += buffer.length;
  }

  u32(value) {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    this.bytes(buffer);
  }

  u64(value) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(value);
    this.bytes(buffer);
  }

  string(text) {
    const buffer = Buffer.from(text, "utf8");
    this.u64(BigInt(buffer.length));
    this.bytes(buffer);
  }

  value({ kind, of, value }) {
    if (kind === "u32") this.u32(value);
    else if (kind === "f32") this.bytes(Buffer.from(Float32Array.of(value).buffer));
    else if (kind === "bool") this.bytes(Buffer.of(value ? 1 : 0));
    else if (kind === "string") this.string(value);
    else if (kind === "array" && of === "i32") {
      this.u32(5);
      this.u64(BigInt(value.length));
      this.bytes(Buffer.from(Int32Array.from(value).buffer));
    } else if (kind === "array" && of === "string") {
      this.u32(VALUE.string);
      this.u64(BigInt(value.length));
      for (const text of value) this.string(text);
    } else throw new Error(`no writer for ${kind} of ${of}`);
  }

  pad(alignment) {
    this.bytes(Buffer.alloc((alignment - (this.length % alignment)) % alignment));
  }

  buffer() {
    return Buffer.concat(this.#parts);
  }
}

/** GPT-2's printable stand-ins for the 256 bytes, in byte order. */
function byteAlphabet() {
  const printable = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** A small deterministic generator of numbers in [-1, 1) (Lehmer, 2^31 - 1, 48271). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 0x7fffffff;
    return (state / 0x7fffffff) * 2 - 1;
  };
}

function noise(random, dims, scale) {
  const n = dims.reduce((product, dim) => product * dim, 1);
  return Buffer.from(Float32Array.from({ length: n }, () => random() * scale).buffer);
}

function constant(n, value) {
  return Buffer.from(new Float32Array(n).fill(value).buffer);
}
