// Models in files of the origin private file system. What holds for every store is tested
// with the others (download.test.mjs, store.test.mjs); this is what files alone can do wrong.

import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { PROJECT } from "./fixtures.mjs";
import { padded, tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const OPTIONS = { storage: "opfs", record_mb: 0.125 };
const tiny = writeGguf(tinyLlama());

describe("models in files", async () => {
  const site = await openSite();
  const { server } = site;

  test("are listed, looked at and loaded without the server, and deleted whole", async (t) => {
    const file = "models/kept.gguf";
    const url = server.route(file, routes.bytes(tiny));
    const page = await site.blank(t);
    const where = await page.evaluate(({ url, options }) => load(url, options).then((lm) => (lm.unload(), lm.info.storage)), { url, options: OPTIONS });
    assert.equal(where, "opfs");
    const [model] = await page.evaluate(() => PageLM.models());
    assert.deepEqual([model.bytes, model.complete, model.storage], [tiny.length, true, "opfs"]);
    server.remove(file);
    // Also while it is loaded: to look needs no file of one's own.
    const again = await page.evaluate(async (url) => {
      const [outlook, lm] = await Promise.all([PageLM.preflight(url), load(url)]);
      return [outlook.name, lm.info.storage];
    }, url);
    assert.deepEqual(again, ["tiny", "opfs"]);
    assert.equal((await page.evaluate(() => modelFiles())).length, 1);
    await page.evaluate((url) => PageLM.remove(url), url);
    assert.deepEqual(await page.evaluate(() => modelFiles()), []);
    assert.deepEqual(await page.evaluate(() => PageLM.models()), []);
  });

  test("that no manifest names are deleted, and no others", async (t) => {
    const url = server.route("models/named.gguf", routes.bytes(tiny));
    const other = server.route("models/other.gguf", routes.bytes(tiny));
    const page = await site.blank(t);
    await page.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()), { url, options: OPTIONS });
    const left = await page.evaluate(async ({ url, other, options }) => {
      await (await modelFolder()).getFileHandle("123", { create: true });
      // Each load tidies, behind itself (the one before may do so only now); not while another
      // holds the lock.
      let turn = 0;
      do {
        await load(other, options).then((lm) => lm.unload());
        await new Promise((resolve) => setTimeout(resolve, 200));
      } while (++turn < 10 && (await modelFiles()).includes("123"));
      const both = await modelFiles();
      await PageLM.remove(other);
      return [both, await modelFiles()];
    }, { url, other, options: OPTIONS });
    assert.deepEqual(left.map((files) => files.length), [2, 1]);
    assert.ok(!left.flat().includes("123"));
    // Every load tidies up behind itself, wherever it stores.
    const tidied = await page.evaluate(async (url) => {
      await (await modelFolder()).getFileHandle("456", { create: true });
      await load(url, { retries: 0 }).then((lm) => lm.unload());
      for (let turn = 0; turn < 50 && (await modelFiles()).includes("456"); turn++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return modelFiles();
    }, server.route("models/elsewhere.gguf", routes.bytes(tiny)));
    assert.equal(tidied.length, 1);
    assert.ok(!tidied.includes("456"));
    await page.evaluate((url) => load(url, { retries: 0 }).then((lm) => lm.unload()), url);
    assert.equal(server.count("models/named.gguf"), 1);
  });

  test("are not tidied away by another tab while a load has them, named by a manifest or not yet", async (t) => {
    const slow = new routes.FaultyFile(padded(3), { plan: () => ({ piece: 1_000_000, ms: 20 }) });
    const url = server.route("models/written.gguf", slow.handler);
    const other = server.route("models/removed.gguf", routes.bytes(tiny));
    // The first tab's worker stops when it has made its file and not yet opened it, which would protect it.
    const pause = `const { createSyncAccessHandle } = FileSystemFileHandle.prototype;
      FileSystemFileHandle.prototype.createSyncAccessHandle = async function () {
        const channel = new BroadcastChannel("made");
        channel.postMessage(this.name);
        await new Promise((resolve) => (channel.onmessage = resolve));
        return createSyncAccessHandle.call(this);
      };`;
    server.route("pkg/worker.js", routes.altered(path.join(PROJECT, "pkg/worker.js"), pause));
    t.after(() => server.unroute("pkg/worker.js"));
    const page = await site.blank(t);
    const name = await page.evaluate(({ url, options }) => {
      const channel = new BroadcastChannel("made");
      const made = new Promise((resolve) => (channel.onmessage = ({ data }) => resolve(data)));
      globalThis.resume = () => channel.postMessage("go on");
      globalThis.half = new Promise((resolve) => {
        const onProgress = ({ loaded, total }) => loaded > total / 2 && resolve();
        globalThis.loading = load(url, { ...options, onProgress });
      });
      return made;
    }, { url, options: { ...OPTIONS, record_mb: 1 } });
    server.unroute("pkg/worker.js");

    const tab = await page.context().newPage();
    await tab.goto(server.url("helpers.html"));
    await ready(tab);
    const left = async () => {
      await tab.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()).then(() => PageLM.remove(url)), { url: other, options: OPTIONS });
      return tab.evaluate(() => modelFiles());
    };
    assert.ok((await left()).includes(name), "gone before it was named");
    await page.evaluate(() => resume());
    await page.evaluate(() => half);
    assert.ok((await left()).includes(name), "gone while it was written");
    assert.equal(await page.evaluate(() => loading.then((lm) => (lm.unload(), lm.info.storage))), "opfs");
    server.remove("models/written.gguf");
    await tab.evaluate((url) => load(url, { retries: 0 }).then((lm) => lm.unload()), url);
    assert.equal(slow.requests.length, 1);
  });

  test("go on at once where an aborted load has ended, and are fetched anew where the file is gone", async (t) => {
    const body = padded(3);
    const faulty = new routes.FaultyFile(body, { plan: (n) => (n === 0 ? { piece: 100_000, ms: 20 } : null) });
    const url = server.route("models/aborted.gguf", faulty.handler);
    const page = await site.blank(t);
    const phases = await page.evaluate(async ({ url, options }) => {
      const controller = new AbortController();
      const onProgress = ({ loaded }) => loaded > 1_000_000 && controller.abort();
      await load(url, { ...options, signal: controller.signal, onProgress }).catch(() => {});
      const phases = new Set();
      await load(url, { ...options, onProgress: ({ phase }) => phases.add(phase) }).then((lm) => lm.unload());
      return [...phases];
    }, { url, options: OPTIONS });
    assert.ok(phases.includes("resume"), `${phases}`);
    const [, { from }] = faulty.requests;
    assert.ok(from >= 0.75e6, `goes on at ${from}`);
    const counted = faulty.requests.length;
    const files = await page.evaluate(async (url) => {
      const [name] = await modelFiles();
      await (await modelFolder()).removeEntry(name);
      await load(url).then((lm) => lm.unload());
      return (await PageLM.models()).map(({ complete, storage }) => [complete, storage]);
    }, url);
    assert.equal(faulty.requests.length, counted + 1);
    assert.deepEqual(files, [[true, "indexeddb"]]);
  });
});

describe("without such files", async () => {
  // A page that is neither HTTPS nor localhost has none.
  const site = await openSite({ args: ["--host-resolver-rules=MAP plain.test 127.0.0.1"] });
  const { server } = site;

  test("IndexedDB serves", async (t) => {
    server.route("models/plain.gguf", routes.bytes(tiny));
    const page = await site.blank(t);
    await page.goto(server.url("helpers.html").replace("127.0.0.1", "plain.test"));
    await ready(page);
    const stored = await page.evaluate(async (options) => {
      const lm = await load("models/plain.gguf", { ...options, threads: 1 });
      const [{ complete, storage }] = await PageLM.models();
      return [isSecureContext, lm.info.storage, complete, storage];
    }, OPTIONS);
    assert.deepEqual(stored, [false, "indexeddb", true, "indexeddb"]);
    await page.evaluate(() => PageLM.load("models/plain.gguf").then((lm) => lm.unload()));
    assert.equal(server.count("models/plain.gguf"), 1);
  });
});
