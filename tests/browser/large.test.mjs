// A model of more than 2 GiB in memory, so that half of its addresses are above what a
// signed 32-bit number holds. The rows of its two large matrices repeat, with random weights,
// and a small model has the same rows once: what the large one makes of a row beyond the mark
// must be what the small one makes of its twin. Nothing of it lies on a disk.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TYPE, array, tinyLlama, u32, writeHeader } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

const GIB = 2 ** 30;
const EMBD = 32768;
const FF = 128;
/** Rows that repeat, and how often they do. */
const PERIOD = 1024;
const REPEATS = 64;
/** Tokens of the prompt, rows of the embedding. */
const PROMPT = [5, 300, 77];

const site = await openSite({ isolated: true });

for (const { last, options } of [
  { last: "output.weight", options: { variant: "relaxed", threads: 1 } },
  { last: "token_embd.weight", options: { variant: "threads", threads: 2 } },
]) {
  test(`rows of ${last} beyond 2 GiB, ${options.variant}`, async (t) => {
    const small = serveModel("small", 1, last);
    const large = serveModel("large", REPEATS, last);
    const page = await site.blank(t);
    const expected = await page.evaluate(answer, { url: small, options, prompt: PROMPT, n: PERIOD, period: PERIOD });

    // The matrix that comes last begins below the mark and ends beyond it.
    const beyond = (REPEATS - 2) * PERIOD;
    const prompt = PROMPT.map((token, i) => token + [beyond, beyond + PERIOD, 0][i]);
    const found = await page.evaluate(answer, { url: large, options, prompt, n: PERIOD * REPEATS, period: PERIOD });

    assert.deepEqual(found.ran, options);
    assert.ok(found.memory.weights > 2.3 * GIB, `${found.memory.weights} bytes of weights`);
    assert.ok(found.memory.total < 1.1 * found.memory.weights, `${found.memory.total} bytes in all`);
    assert.deepEqual(found.tokens, expected.tokens);
    // Softmax over REPEATS times as many: each has that fraction of the probability.
    const shift = Math.log(REPEATS);
    for (const repeat of [0, REPEATS >> 1, REPEATS - 2, REPEATS - 1]) {
      for (let row = 0; row < PERIOD; row++) {
        const off = Math.abs(found.logprobs[repeat * PERIOD + row] + shift - expected.logprobs[row]);
        assert.ok(off < 1e-4, `row ${row} of repeat ${repeat} is off by ${off}`);
      }
    }
  });
}

/** In the page: log-probabilities after the prompt, and a few tokens. */
async function answer({ url, options, prompt, n, period }) {
  await load(url, { ...options, cache: false, context: 64 });
  const { variant, threads, memory } = lm.info;
  const request = { prompt, temperature: 0, ignore_eos: true };
  const next = await lm.completions.create({ ...request, max_tokens: 1, logprobs: n });
  const logprobs = new Array(n).fill(NaN);
  for (const [id, logprob] of next.choices[0].logprobs.top_token_ids[0]) logprobs[id] = logprob;
  const more = await lm.completions.create({ ...request, max_tokens: 4, logprobs: 1 });
  const tokens = more.choices[0].logprobs.top_token_ids.map(([[id]]) => id % period);
  await lm.unload();
  return { ran: { variant, threads }, memory, logprobs, tokens };
}

/** Serves a model whose vocabulary is the same rows `repeats` times; `last` comes last. */
function serveModel(name, repeats, last) {
  const n = PERIOD * repeats;
  const { metadata } = tinyLlama();
  const tokens = [...metadata["tokenizer.ggml.tokens"].value];
  while (tokens.length < n) tokens.push(`unused${tokens.length}`);
  const changed = {
    ...metadata,
    "llama.embedding_length": u32(EMBD),
    "llama.feed_forward_length": u32(FF),
    "llama.attention.head_count": u32(1),
    "llama.attention.head_count_kv": u32(1),
    "llama.attention.key_length": u32(64),
    "llama.attention.value_length": u32(64),
    "llama.rope.dimension_count": u32(64),
    "llama.vocab_size": u32(n),
    "tokenizer.ggml.tokens": array("string", tokens),
    "tokenizer.ggml.token_type": array("i32", tokens.map((_, id) => (id < 256 || id > 258 ? 1 : 3))),
  };
  const first = last === "output.weight" ? "token_embd.weight" : "output.weight";
  const tensors = [
    repeated(first, TYPE.Q1_0, EMBD, PERIOD, repeats),
    { name: "blk.0.attn_norm.weight", dims: [EMBD], type: TYPE.F32, rows: ones(EMBD), repeats: 1 },
    repeated("blk.0.attn_q.weight", TYPE.Q4_0, EMBD, 64),
    repeated("blk.0.attn_k.weight", TYPE.Q4_0, EMBD, 64),
    repeated("blk.0.attn_v.weight", TYPE.Q4_0, EMBD, 64),
    repeated("blk.0.attn_output.weight", TYPE.Q4_0, 64, EMBD),
    { name: "blk.0.ffn_norm.weight", dims: [EMBD], type: TYPE.F32, rows: ones(EMBD), repeats: 1 },
    repeated("blk.0.ffn_gate.weight", TYPE.Q4_0, EMBD, FF),
    repeated("blk.0.ffn_up.weight", TYPE.Q4_0, EMBD, FF),
    repeated("blk.0.ffn_down.weight", TYPE.Q4_0, FF, EMBD),
    { name: "output_norm.weight", dims: [EMBD], type: TYPE.F32, rows: ones(EMBD), repeats: 1 },
    repeated(last, TYPE.Q4_0, EMBD, PERIOD, repeats),
  ].map((tensor) => ({ ...tensor, size: tensor.rows.length * tensor.repeats }));
  const header = writeHeader({ metadata: changed, tensors });
  const length = tensors.reduce((sum, { size }) => sum + size, header.length);
  return site.server.route(
    `models/${name}-${last}.gguf`,
    routes.generated(length, function* () {
      yield header;
      for (const { rows, repeats } of tensors) for (let i = 0; i < repeats; i++) yield rows;
    }),
  );
}

/** Random rows, `repeats` times; of whole multiples of 32 bytes, so that nothing is padded. */
function repeated(name, type, columns, rows, repeats = 1) {
  const [block, size, scale] = type === TYPE.Q1_0 ? [128, 18, 0.02] : [32, 18, 0.004];
  const n = (rows * columns) / block;
  const data = Buffer.alloc(n * size);
  let state = name.length * 7919 + 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8;
  for (let i = 0; i < n; i++) {
    const at = i * size;
    // A half between scale and twice that: the exponent of one, and random bits.
    data.writeUInt16LE(half(scale) | (random() & 0x3ff), at);
    for (let j = 2; j < size; j += 2) data.writeUInt16LE(random() & 0xffff, at + j);
  }
  return { name, dims: [columns, rows * repeats], type, rows: data, repeats };
}

/** The largest power of two that is not above `value`, as an IEEE half. */
function half(value) {
  return (Math.floor(Math.log2(value)) + 15) << 10;
}

function ones(n) {
  return Buffer.from(new Float32Array(n).fill(1).buffer);
}
