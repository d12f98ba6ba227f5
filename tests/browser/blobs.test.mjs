// Records are stored as Blobs. In browsers that refuse them, or do not stream them, a model is
// stored all the same, and never fetched again.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { PROJECT } from "./fixtures.mjs";
import { padded } from "./gguf.mjs";
import { openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;
const model = padded(2);
const OPTIONS = { record_mb: 0.125, shared: false };

const refusing = (how) => `
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (value, key) {
    if (value instanceof Blob) {
      console.log("refused");
      ${how}
    }
    return put.call(this, value, key);
  };`;

for (const [how, code] of [
  // As Safari did in private windows.
  ["at once", `throw new DOMException("BlobURLs are not yet supported", "DataCloneError");`],
  ["later", `this.transaction.abort(); throw new DOMException("Error preparing Blob data", "UnknownError");`],
]) {
  test(`Blobs are refused ${how}: asked once, and stored plain`, async (t) => {
    alter(t, refusing(code));
    const url = server.route("models/refused.gguf", routes.bytes(model));
    const page = await site.blank(t);
    let refused = 0;
    page.on("console", (message) => (refused += message.text() === "refused"));
    await page.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()), { url, options: OPTIONS });
    assert.equal(refused, 1);
    await loadsWithoutServer(page, "models/refused.gguf", url);
  });
}

const body = (get) => `
  const { get } = Object.getOwnPropertyDescriptor(Response.prototype, "body");
  Object.defineProperty(Response.prototype, "body", { get() {
    // Of what was fetched there is one.
    if (this.url !== "") return get.call(this);
    ${get}
  } });`;

for (const [how, code] of [
  ["have no stream", "return null;"],
  ["have a stream that fails", `return new ReadableStream({ start: (stream) => stream.error(new TypeError("no stream")) });`],
  ["come in chunks", "return new ReadableStream({ start: async (stream) => { stream.enqueue(new Uint8Array(await this.arrayBuffer())); stream.close(); } });"],
]) {
  test(`Blobs ${how}: read all the same`, async (t) => {
    alter(t, body(code));
    const url = server.route("models/streams.gguf", routes.bytes(model));
    const page = await site.blank(t);
    await page.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()), { url, options: OPTIONS });
    await loadsWithoutServer(page, "models/streams.gguf", url);
  });
}

function alter(t, code) {
  server.route("pkg/worker.js", routes.altered(path.join(PROJECT, "pkg/worker.js"), code));
  t.after(() => server.unroute("pkg/worker.js"));
}

async function loadsWithoutServer(page, file, url) {
  const before = server.count(file);
  server.remove(file);
  await page.reload();
  await ready(page);
  const outcome = await page.evaluate((url) => attempt(() => load(url, { shared: false, retries: 0 }).then((lm) => lm.unload())), url);
  assert.equal(outcome.error, undefined, outcome.error?.message);
  assert.equal(server.count(file), before, "nothing is fetched again");
}
