// What goes wrong outside pagelm: each ends in a PageLMError with its own code
// and a sentence that says what to do, and the page can load a good model then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { TYPE, string, tinyAs, tinyLlama, u32, writeGguf, writeHeader } from "./gguf.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;

const good = writeGguf(tinyLlama());
const goodUrl = server.route("models/good.gguf", routes.bytes(good));
// The file's last quarter is tensor data, whatever the header's length.
const shortened = good.subarray(0, good.length - (good.length >> 2));

const CASES = [
  {
    title: "a truncated file",
    answer: routes.bytes(shortened),
    code: "gguf_truncated",
    data: ({ have, need }) => have === shortened.length && need > have,
  },
  { title: "a truncated file without a length", answer: routes.chunked(shortened), code: "gguf_truncated" },
  { title: "a file cut within its header", answer: routes.bytes(good.subarray(0, 100)), code: "gguf_truncated" },
  { title: "an empty file", answer: routes.bytes(Buffer.alloc(0)), code: "gguf_truncated" },
  {
    title: "a wrong magic",
    answer: routes.bytes(writeGguf(tinyLlama(), { magic: 0x6c6d6767 })),
    code: "gguf_bad_magic",
    data: ({ magic }) => Buffer.from(magic).toString() === "ggml",
  },
  { title: "another GGUF version", answer: routes.bytes(writeGguf(tinyLlama(), { version: 1 })), code: "gguf_bad_version" },
  {
    title: "a header that claims 2^60 tensors",
    answer: routes.bytes(writeGguf(tinyLlama(), { tensorCount: 1n << 60n })),
    code: "gguf_bad_header",
  },
  // Of these only the header is ever sent, once: they are refused before their weights are fetched.
  {
    title: "a BERT model",
    answer: headerOf(tinyAs("bert")),
    code: "masked_model",
    data: ({ architecture }) => architecture === "bert",
  },
  {
    title: "an unknown architecture",
    answer: headerOf(tinyAs("frobnicator")),
    code: "unsupported_architecture",
    data: ({ architecture, supported }) => architecture === "frobnicator" && /\bllama\b/.test(supported),
  },
  {
    title: "an unsupported type",
    answer: headerOf(spoilt(({ tensors }) => (tensors[8].type = TYPE.WITHDRAWN))),
    code: "unsupported_type",
    data: ({ tensor, dtype }) => tensor === "blk.0.ffn_up.weight" && dtype.includes(String(TYPE.WITHDRAWN)),
  },
  { title: "a LoRA adapter", answer: headerOf(spoilt(({ metadata }) => (metadata["general.type"] = string("adapter")))), code: "adapter" },
  { title: "a projector", answer: headerOf(spoilt(({ metadata }) => (metadata["general.type"] = string("mmproj")))), code: "projector" },
  { title: "a vocabulary", answer: headerOf(spoilt((model) => (model.tensors = []))), code: "vocabulary_only" },
  {
    title: "a missing tensor",
    answer: headerOf(spoilt(({ tensors }) => tensors.splice(4, 1))),
    code: "missing_tensor",
    data: ({ tensor }) => tensor === "blk.0.attn_v.weight",
  },
  {
    title: "a wrong shape",
    answer: headerOf(spoilt(({ tensors }) => tensors[8].dims.reverse())),
    code: "wrong_shape",
    data: ({ tensor, found, expected }) => tensor === "blk.0.ffn_up.weight" && found[0] === 96 && expected[0] === 64,
  },
  {
    title: "a model that no browser has memory for",
    // A file of one gigabyte, lest it be refused for the want of storage.
    answer: headerOf(spoilt((model) => {
      const [embd, ff] = [4096, 3 << 18];
      model.metadata["llama.feed_forward_length"] = u32(ff);
      model.metadata["llama.embedding_length"] = u32(embd);
      for (const tensor of model.tensors) {
        tensor.dims = tensor.dims.map((dim) => ({ 64: embd, 96: ff })[dim] ?? dim);
        if (tensor.name.includes("ffn_") && tensor.dims.length === 2) tensor.type = TYPE.Q1_0;
      }
    })),
    code: "too_large",
    data: ({ needed, available }) => needed > 5 * 2 ** 30 && available > 0 && available < needed,
  },
  {
    title: "a 404",
    answer: routes.status(404),
    code: "http_status",
    data: ({ status, url }) => status === 404 && url.endsWith("/models/case.gguf"),
  },
  { title: "a server error", answer: routes.status(503), code: "http_status", data: ({ status }) => status === 503 },
  {
    title: "a file with another SHA-256",
    answer: routes.bytes(good),
    options: { sha256: "0".repeat(64) },
    code: "digest_mismatch",
    data: ({ expected, found }) => expected === "0".repeat(64) && found.length === 64,
  },
  { title: "a SHA-256 that is none", answer: routes.bytes(good), options: { sha256: "abc" }, code: "bad_request" },
  { title: "an HTML page in place of a model", answer: routes.htmlPage(), code: "html_instead_of_model" },
  {
    title: "a connection cut within the header",
    answer: routes.cutBytes(good, 1000),
    code: "network",
  },
  {
    title: "a connection cut within the data",
    answer: routes.cutBytes(good, good.length - 1000),
    code: "network",
  },
];

function spoilt(spoil) {
  const model = tinyLlama();
  spoil(model);
  return model;
}

/** Answers with the header of a model and then waits for ever; counts its requests. */
function headerOf(model) {
  const bytes = (type) => (type === TYPE.Q1_0 ? 18 / 128 : 4); // of a weight
  const tensors = model.tensors.map((tensor) => ({ ...tensor, size: tensor.dims.reduce((n, dim) => n * dim, bytes(tensor.type)) }));
  const head = writeHeader({ ...model, tensors });
  // One byte more: a whole answer that does not end would hold up the connection's next.
  const send = routes.headOnly(head, tensors.reduce((length, { size }) => length + size, head.length + 1));
  const answer = (request, response) => {
    answer.requests++;
    send(request, response);
  };
  answer.requests = 0;
  return answer;
}

for (const { title, answer, options, code, data } of CASES) {
  test(title, async (t) => {
    const url = server.route("models/case.gguf", answer);
    const page = await site.blank(t);
    const { error } = await page.evaluate(({ url, options }) => attempt(() => load(url, { retries: 1, ...options }).then(() => "loaded")), { url, options });
    assertError(error, code);
    if (answer.requests !== undefined) assert.equal(answer.requests, 1, "the weights were asked for");
    if (data) assert.ok(data(error.data), `data: ${JSON.stringify(error.data)}`);
    await assertGoodModelWorks(page);
    const cached = await page.evaluate(() => PageLM.models());
    assert.deepEqual(cached.filter((model) => model.url === url && model.complete), [], "a bad file counts as complete");
  });
}

test("nobody listens at the address", async (t) => {
  const page = await site.blank(t);
  const { error } = await page.evaluate(() => attempt(() => load("http://127.0.0.1:9/model.gguf", { retries: 1 }).then(() => "loaded")));
  assertError(error, "network");
  await assertGoodModelWorks(page);
});

test("the real model's connection cut at 50 %, then the whole of it", needsRealModel(), async (t) => {
  const url = server.route("models/cut.gguf", routes.cutFile(REAL_MODEL_FILE, 0.5));
  const page = await site.blank(t);
  const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
  assertError(error, "network");
  assert.ok(error.data.received > 0, `data: ${JSON.stringify(error.data)}`);
  await assertGoodModelWorks(page);
  await page.evaluate(() => lm.unload());

  server.route("models/cut.gguf", routes.wholeFile(REAL_MODEL_FILE));
  const text = await page.evaluate(async (url) => {
    await load(url);
    const answer = await lm.completions.create({ prompt: "The capital of France is", max_tokens: 4, temperature: 0 });
    return answer.choices[0].text;
  }, url);
  assert.match(text, /Paris/);
});

test("requests that contradict the API", async (t) => {
  const page = await site.blank(t);
  await page.evaluate((url) => load(url).then(() => undefined), goodUrl);
  const outcomes = await page.evaluate(async () => {
    const requests = [
      { prompt: "a", max_tokens: -1 },
      { prompt: "a", temperature: -1 },
      { prompt: "a", top_p: 2 },
      { prompt: [1_000_000] },
      { prompt: { text: "a" } },
    ];
    const bad = [];
    for (const request of requests) bad.push(await attempt(() => lm.completions.create(request).then(() => "answered")));
    for (const messages of ["hello", [], [{ content: "a" }], [{ role: "usr", content: "a" }]]) {
      bad.push(await attempt(() => lm.chat.completions.create({ messages }).then(() => "answered")));
    }
    // The template is not asked for an answer to nothing.
    bad.push(await attempt(() => lm.render([{ role: "usr", content: "a" }])));
    const overflow = await attempt(() => lm.completions.create({ prompt: "a".repeat(300), max_tokens: 1 }).then(() => "answered"));
    return { bad, overflow };
  });
  for (const { error } of outcomes.bad) assertError(error, "bad_request");
  assertError(outcomes.overflow.error, "context_overflow");
  assert.ok(outcomes.overflow.error.data.tokens >= 300 && outcomes.overflow.error.data.context === 256);
  assert.equal(await page.evaluate(completionLength), 4);
});

/** A typed error with this code, and a sentence rather than a dump. */
function assertError(error, code) {
  assert.ok(error, `no error, expected ${code}`);
  assert.equal(error.code, code, error.message);
  assert.ok(error.typed && error.name === "PageLMError", "not a PageLMError");
  assert.match(error.message, /^[A-Z"p].{20,}[.]$/s, "not a sentence");
  assert.ok(typeof error.data === "object" && error.data !== null, "no data");
}

async function assertGoodModelWorks(page) {
  await page.evaluate((url) => load(url).then(() => undefined), goodUrl);
  assert.equal(await page.evaluate(completionLength), 4);
}

async function completionLength() {
  const result = await lm.completions.create({ prompt: "abc", max_tokens: 4, temperature: 0, ignore_eos: true });
  return result.usage.completion_tokens;
}
