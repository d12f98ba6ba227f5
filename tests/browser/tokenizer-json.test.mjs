// A `tokenizer.json` beside the model: what it changes, how it is stored, and what is refused.

import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { PROJECT, readJson } from "./fixtures.mjs";
import { tinyLlama, writeGguf, writeHeader } from "./gguf.mjs";
import { openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const cases = readJson(path.join(PROJECT, "tests/fixtures/tokenizer_json/cases.json"));
const named = (name) => cases.find((one) => one.name === name);
const llama3 = named("llama3");
const bytesOf = (one) => Buffer.from(JSON.stringify(one.tokenizer));
const expected = (one) => one.rows.map(({ ids, around = ids }) => around);
const texts = llama3.rows.map(({ text }) => text);

/** The tiny model with room for these vocabularies, and without a tokenizer of its own. */
function bare() {
  const { metadata, tensors } = tinyLlama();
  const [embd, ...rest] = tensors;
  const twice = { ...embd, dims: [embd.dims[0], 2 * embd.dims[1]], data: Buffer.concat([embd.data, embd.data]) };
  const kept = Object.entries(metadata).filter(([key]) => !key.startsWith("tokenizer.") && key !== "llama.vocab_size");
  return { metadata: Object.fromEntries(kept), tensors: [twice, ...rest] };
}

describe("a tokenizer.json", async () => {
  const site = await openSite();
  const { server } = site;
  const model = writeGguf(bare());

  const tokenized = (page, url, options) =>
    page.evaluate(
      async ({ url, options, texts }) => {
        await load(url, options);
        const ids = [];
        for (const text of texts) ids.push(await lm.tokenize(text, { special: true }));
        const { usage } = await lm.completions.create({ prompt: "The", max_tokens: 4, temperature: 0 });
        return { ids, tokens: usage.completion_tokens };
      },
      { url, options, texts },
    );

  // Between them they have all of Unicode's forms but one, which here the browser makes.
  for (const { storage, one, another } of [
    { storage: "indexeddb", one: llama3, another: named("qwen2") },
    { storage: "opfs", one: named("metaspace"), another: named("odd") },
  ]) {
    test(`${storage}: is kept with its model, and is no other's`, async (t) => {
      const files = ["model.gguf", "tokenizer.json", "other.json"].map((name) => `models/${storage}/${name}`);
      const [url, tokenizer, other] = files.map((file, i) => server.route(file, routes.bytes([model, bytesOf(one), bytesOf(another)][i])));
      const page = await site.blank(t);
      const without = await page.evaluate((url) => attempt(() => PageLM.preflight(url)), url);
      assert.equal(without.error?.code, "unsupported_tokenizer");
      assert.match(without.error.message, /`tokenizer`/);
      assert.equal((await page.evaluate(([url, tokenizer]) => PageLM.preflight(url, { tokenizer }), [url, tokenizer])).name, "tiny");

      // Relative to the page, as the model's.
      const first = await tokenized(page, url, { tokenizer: files[1], storage, shared: false });
      assert.deepEqual(first.ids, expected(one));
      assert.ok(first.tokens > 0);
      await page.evaluate(() => lm.sessions.save("talk").then(() => lm.unload()));
      const [stored, ...more] = await page.evaluate(() => PageLM.models());
      assert.deepEqual(more, []);
      const bytes = model.length + bytesOf(one).length;
      assert.deepEqual([stored.url, stored.bytes, stored.total, stored.complete, stored.storage], [url, bytes, bytes, true, storage]);

      files.forEach((file) => server.remove(file));
      await page.reload();
      await ready(page);
      const requests = () => files.map((file) => server.count(file));
      const before = requests();
      assert.deepEqual((await tokenized(page, url, { tokenizer })).ids, expected(one), "without the server");
      assert.equal((await page.evaluate(() => lm.sessions.restore("talk"))).refilled, false);
      assert.deepEqual(requests(), before);
      await page.evaluate(() => lm.unload());

      const absent = await page.evaluate(([url, tokenizer]) => attempt(() => load(url, { tokenizer })), [url, other]);
      assert.equal(absent.error?.code, "http_status", "another is asked for");
      server.route(files[2], routes.bytes(bytesOf(another)));
      assert.deepEqual((await tokenized(page, url, { tokenizer: other })).ids, expected(another), "the weights are there");
      const mismatch = await page.evaluate(() => attempt(() => lm.sessions.restore("talk")));
      assert.equal(mismatch.error?.code, "session_mismatch");

      await page.evaluate((url) => lm.unload().then(() => PageLM.remove(url)), url);
      assert.deepEqual(await page.evaluate(() => PageLM.models()), []);
      const left = (await page.evaluate(() => storedRecords())).filter(({ key }) => String(key).includes(storage));
      assert.deepEqual(left, []);
      if (storage === "opfs") assert.deepEqual(await page.evaluate(() => modelFiles()), []);
    });
  }

  test("whose store is full when all is loaded ends no load, and is not fetched again", async (t) => {
    const put = `const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (value, key) {
        if (this.name === "models" && key.includes("#tokenizer=")) throw new DOMException("full", "QuotaExceededError");
        return put.call(this, value, key);
      };`;
    server.route("pkg/worker.js", routes.altered(path.join(PROJECT, "pkg/worker.js"), put));
    t.after(() => server.unroute("pkg/worker.js"));
    const url = server.route("models/full.gguf", routes.bytes(model));
    const tokenizer = server.route("models/full.json", routes.bytes(bytesOf(llama3)));
    const page = await site.blank(t);
    for (let load = 1; load <= 2; load++) {
      assert.deepEqual((await tokenized(page, url, { tokenizer, shared: false })).ids, expected(llama3));
      await page.evaluate(() => lm.unload());
      assert.equal((await page.evaluate(() => PageLM.models()))[0].complete, true);
    }
    assert.deepEqual([server.count("models/full.gguf"), server.count("models/full.json")], [1, 1]);
  });

  test("that is none, or another model's, is refused before weights are fetched", async (t) => {
    const tiny = tinyLlama();
    const headOnly = routes.headOnly(writeHeader(tiny), writeGguf(tiny).length);
    const large = (_request, response) => response.writeHead(200, { "Content-Length": 65 * 2 ** 20 }).write(Buffer.alloc(9 * 2 ** 20));
    const page = await site.blank(t);
    for (const { name, handler, code = "bad_tokenizer", words, asked = 0 } of [
      { name: "page", handler: routes.htmlPage(), words: /web page/ },
      { name: "text", handler: routes.bytes(Buffer.from("tokens")), words: /line 1/ },
      { name: "config", handler: routes.bytes(Buffer.from('{ "model_type": "llama" }')), words: /`model`/ },
      { name: "large", handler: large, words: /67108864/ },
      { name: "absent", handler: routes.status(404), code: "http_status", words: /absent\.json/ },
      { name: "foreign", handler: routes.bytes(bytesOf(llama3)), words: /330 tokens.*288/, asked: 1 },
    ]) {
      const url = server.route(`models/${name}.gguf`, headOnly);
      const tokenizer = server.route(`models/${name}.json`, handler);
      for (const how of ["preflight", "load"]) {
        const before = server.count(`models/${name}.gguf`);
        const { error } = await page.evaluate(([how, url, tokenizer]) => attempt(() => PageLM[how](url, { tokenizer })), [how, url, tokenizer]);
        assert.equal(error?.code, code, `${name}: ${JSON.stringify(error)}`);
        assert.match(error.message, words);
        assert.equal(server.count(`models/${name}.gguf`) - before, asked, `${name}: ${how}`);
      }
    }
    assert.deepEqual(await page.evaluate(() => PageLM.models()), [], "nothing is kept");
    const url = server.url("models/page.gguf");
    const [offline, nowhere] = await page.evaluate(
      async (url) => [
        await attempt(() => PageLM.load(url, { tokenizer: "http://127.0.0.1:9/tokenizer.json", retries: 0 })),
        await attempt(() => PageLM.load(url, { tokenizer: "http://[" })),
      ],
      url,
    );
    assert.equal(offline.error?.code, "network");
    assert.match(offline.error.message, /:9\/tokenizer\.json/);
    assert.equal(nowhere.error?.code, "bad_request");
  });
});
