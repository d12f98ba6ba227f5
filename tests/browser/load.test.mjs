// Loading the real model: progress, the second visit, what is cached, unloading.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

// A profile on disk, as a visitor has it: what is stored must survive there.
const site = await openSite({ onDisk: true });
const { server, realModel } = site;
const tiny = writeGguf(tinyLlama());

const loadWithProgress = async ({ url, options }) => {
  const events = [];
  const lm = await load(url, { ...options, onProgress: (event) => events.push({ ...event }) });
  return { events, info: lm.info };
};

test("first visit downloads once; second visit needs no server", needsRealModel(), async (t) => {
  const bytes = statSync(REAL_MODEL_FILE).size;
  const page = await site.blank(t);
  const first = await page.evaluate(loadWithProgress, { url: realModel });

  const download = first.events.filter((event) => event.phase === "download");
  assert.ok(download.length >= 5, `only ${download.length} download events`);
  assertMonotone(download, bytes);
  assert.deepEqual(phasesOf(first.events).filter((phase) => phase === "cache"), []);
  assert.equal(first.info.architecture, "llama");
  assert.equal(first.info.quantization, "Q4_1");
  assert.ok(Math.abs(first.info.parameters / 134.5e6 - 1) < 0.01, `parameters ${first.info.parameters}`);
  assert.equal(server.count(REAL_MODEL), 1, "one request for the model");
  const answer = await page.evaluate(capital);

  server.remove(REAL_MODEL);
  t.after(() => server.unroute(REAL_MODEL));
  await page.reload();
  await ready(page);
  const second = await page.evaluate(loadWithProgress, { url: realModel });
  const cached = second.events.filter((event) => event.phase === "cache");
  assert.ok(cached.length >= 5, `only ${cached.length} cache events`);
  assertMonotone(cached, bytes);
  assert.deepEqual(phasesOf(second.events).filter((phase) => phase === "download"), []);
  assert.equal(server.count(REAL_MODEL), 1, "no request on the second visit");
  assert.equal(await page.evaluate(capital), answer);
});

test("with the server gone after the page has loaded, the cache is enough", async (t) => {
  const url = server.route("models/offline.gguf", routes.bytes(tiny));
  const page = await site.blank(t);
  // The first load also brings the worker and the wasm, which the browser then has in memory.
  await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
  const before = server.requests().filter(({ path }) => path.endsWith(".gguf")).length;
  server.remove("models/offline.gguf");
  await page.evaluate((url) => load(url).then(() => undefined), url);
  assert.equal(server.requests().filter(({ path }) => path.endsWith(".gguf")).length, before);
});

test("models() lists what is cached, remove() takes it away", async (t) => {
  const url = server.route("models/listed.gguf", routes.bytes(tiny));
  const page = await site.blank(t);
  const started = Date.now();
  await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
  const listed = (await page.evaluate(() => PageLM.models())).find((model) => model.url === url);
  assert.ok(listed, "not listed");
  assert.equal(listed.bytes, tiny.length);
  assert.equal(listed.complete, true);
  assert.ok(listed.last_used >= started - 1000 && listed.last_used <= Date.now() + 1000, `last used ${listed.last_used}`);

  await page.evaluate((url) => PageLM.remove(url), url);
  assert.deepEqual((await page.evaluate(() => PageLM.models())).filter((model) => model.url === url), []);
  const records = await page.evaluate(() => storedRecords());
  assert.deepEqual(records.filter((record) => JSON.stringify(record).includes("listed.gguf")), [], "records are left");
  const before = server.count("models/listed.gguf");
  await page.evaluate((url) => load(url).then(() => undefined), url);
  assert.equal(server.count("models/listed.gguf"), before + 1, "fetched anew");
});

test("a model whose download was not finished is not complete", needsRealModel(), async (t) => {
  const url = server.route("models/half.gguf", routes.cutFile(REAL_MODEL_FILE, 0.5));
  const page = await site.blank(t);
  const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
  assert.equal(error.code, "network");
  const listed = (await page.evaluate(() => PageLM.models())).filter((model) => model.url === url);
  assert.ok(listed.every((model) => !model.complete), JSON.stringify(listed));
});

test("unload() ends the worker; later calls fail cleanly", async (t) => {
  const url = server.route("models/unload.gguf", routes.bytes(tiny));
  const page = await site.blank(t);
  await page.evaluate((url) => load(url).then(() => undefined), url);
  assert.ok(page.workers().length >= 1);
  await page.evaluate(() => lm.unload());
  await until(() => page.workers().length === 0, "workers are left");
  const { error } = await page.evaluate(() => attempt(() => lm.tokenize("a")));
  assert.ok(error?.typed, "a call after unload must be a PageLMError");
  await page.evaluate(() => lm.unload());
});

test("`cache: false` stores nothing", async (t) => {
  const url = server.route("models/uncached.gguf", routes.bytes(tiny));
  const page = await site.blank(t);
  await page.evaluate((url) => load(url, { cache: false }).then((lm) => lm.unload()), url);
  assert.deepEqual((await page.evaluate(() => PageLM.models())).filter((model) => model.url === url), []);
});

test("options choose the binary, the threads and the context", async (t) => {
  const url = server.route("models/options.gguf", routes.bytes(tiny));
  const page = await site.blank(t);
  const info = (options) => page.evaluate(({ url, options }) => load(url, options).then(async (lm) => {
    const { variant, threads, context } = lm.info;
    await lm.unload();
    return { variant, threads, context };
  }), { url, options });
  assert.deepEqual(await info({ variant: "simd" }), { variant: "simd", threads: 1, context: 256 });
  assert.deepEqual(await info({ variant: "relaxed", context: 64 }), { variant: "relaxed", threads: 1, context: 64 });
  assert.deepEqual(await info({ variant: "threads", threads: 2 }), { variant: "threads", threads: 2, context: 256 });
  assert.equal((await info({ threads: 1 })).threads, 1);
});

test("a smaller kv_cache takes less memory and answers as well", needsRealModel(), async (t) => {
  const page = await site.blank(t);
  const bytes = [];
  for (const kv_cache of ["f32", "f16", "q8"]) {
    const info = await page.evaluate(([url, kv_cache]) => load(url, { kv_cache, context: 512 }).then((lm) => lm.info), [site.realModel, kv_cache]);
    assert.equal(info.kv_cache, kv_cache);
    bytes.push(info.memory.kv_cache);
    assert.match(await page.evaluate(capital), /Paris/, kv_cache);
    await page.evaluate(() => lm.unload());
  }
  assert.equal(bytes[1] / bytes[0], 1 / 2);
  assert.ok(bytes[2] / bytes[0] < 0.28, `${bytes}`);
  const { error } = await page.evaluate((url) => attempt(() => load(url, { kv_cache: "f8" }).then(() => "loaded")), site.realModel);
  assert.equal(error?.code, "bad_request");
});

async function capital() {
  const result = await lm.completions.create({ prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
  return result.choices[0].text;
}

/** Progress that never goes back, and ends at the file's size. */
function assertMonotone(events, total) {
  let last = 0;
  for (const { loaded, total: said } of events) {
    assert.ok(loaded >= last, `${loaded} after ${last}`);
    assert.equal(said, total);
    last = loaded;
  }
  assert.equal(last, total);
}

function phasesOf(events) {
  return [...new Set(events.map((event) => event.phase))];
}

async function until(condition, message) {
  for (let i = 0; i < 100; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(message);
}
