// What a model needs, from its header alone: the server sends nothing behind it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { splitGguf, tinyLlama, u32, writeGguf, writeHeader } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;
const model = tinyLlama();
const whole = writeGguf(model);
const header = writeHeader(model);

test("a model that runs", async (t) => {
  const headOnly = server.route("models/head.gguf", routes.headOnly(header, whole.length));
  const url = server.route("models/whole.gguf", routes.bytes(whole));
  const page = await site.blank(t);
  const { outlook, loaded, stored } = await page.evaluate(async ({ headOnly, url }) => {
    const outlook = await PageLM.preflight(headOnly);
    await load(url, { cache: false });
    return { outlook, loaded: lm.info, stored: await PageLM.models() };
  }, { headOnly, url });
  assert.deepEqual(stored, []);
  assert.equal(outlook.name, "tiny");
  assert.equal(outlook.architecture, "llama");
  assert.equal(outlook.quantization, "F32");
  assert.equal(outlook.parameters, loaded.parameters);
  assert.equal(outlook.memory.context, loaded.context);
  assert.equal(outlook.memory.kv_cache, loaded.memory.kv_cache);
  // The norms are no packed matrices.
  assert.ok(outlook.memory.weights >= loaded.memory.weights && outlook.memory.weights < loaded.memory.weights + 4096);
  const scratch = outlook.memory.scratch / loaded.memory.scratch;
  assert.ok(scratch > 0.8 && scratch < 2, `scratch is ${scratch} times what is held`);
  assert.equal(outlook.needed, outlook.memory.weights + outlook.memory.kv_cache + outlook.memory.scratch);
  assert.ok(Math.abs(outlook.file_bytes - whole.length) < 32);
});

test("the parts of a split model count together", async (t) => {
  const parts = splitGguf(model, [3, model.tensors.length - 3]);
  const [url] = parts.map((part, i) => server.route(`models/split-0000${i + 1}-of-00002.gguf`, routes.bytes(part)));
  const page = await site.blank(t);
  const outlook = await page.evaluate((url) => PageLM.preflight(url), url);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  assert.ok(Math.abs(outlook.file_bytes - bytes) < 64, `${outlook.file_bytes} of ${bytes} bytes`);
});

test("a model that does not run is refused as by load", async (t) => {
  const { metadata, tensors } = tinyLlama();
  const large = { metadata: { ...metadata, "llama.context_length": u32(1 << 29) }, tensors };
  const url = server.route("models/large.gguf", routes.headOnly(writeHeader(large), whole.length));
  const page = await site.blank(t);
  const [refused, surplus] = await page.evaluate(
    async (url) => [await attempt(() => PageLM.preflight(url, { context: 1 << 28 })), await attempt(() => PageLM.preflight(url, { variant: "simd" }))],
    url,
  );
  assert.equal(refused.error?.code, "too_large", refused.error?.message);
  assert.ok(refused.error.data.needed > refused.error.data.available);
  assert.equal(surplus.error?.code, "bad_request");
});
