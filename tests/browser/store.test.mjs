// The stored copy of a model: damage is found and repaired, refusal and want of
// room are told apart, and running from memory is always possible.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { padded, tinyLlama, writeGguf } from "./gguf.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const MiB = 2 ** 20;
const tiny = writeGguf(tinyLlama());

describe("a damaged record", async () => {
  const site = await openSite();
  const { server } = site;
  // The real model for one, as its answer is known.
  const CASES = [
    { how: "flip a bit", file: REAL_MODEL_FILE, record: 8 * MiB, options: needsRealModel() },
    { how: "shorten", record: MiB / 2 },
    { how: "delete", record: MiB / 2 },
    { how: "flip a bit", storage: "opfs", file: REAL_MODEL_FILE, record: 8 * MiB, options: needsRealModel() },
    { how: "delete", storage: "opfs", record: MiB / 2 },
  ];
  for (const { how, storage = "indexeddb", file, record, options = {} } of CASES) {
    test(`${storage}, ${how}: found, and only that record fetched again`, options, async (t) => {
      const faulty = new routes.FaultyFile(file ? readFileSync(file) : padded(0));
      const url = server.route("models/damaged.gguf", faulty.handler);
      const page = await site.blank(t);
      const loadOptions = { record_mb: record / MiB, storage };
      await page.evaluate(({ url, loadOptions }) => load(url, loadOptions).then((lm) => lm.unload()), { url, loadOptions });
      const records = (await page.evaluate(() => storedRecords())).filter(({ length }) => length > 0);
      assert.equal(records[1].length, record);
      await page.evaluate(({ record, how }) => damage(record, how), { record: records[1], how });

      await page.reload();
      await ready(page);
      const [requests, sent] = [faulty.requests.length, faulty.sent];
      const phases = await page.evaluate(async (url) => {
        const phases = new Set();
        await load(url, { onProgress: ({ phase }) => phases.add(phase) });
        return [...phases];
      }, url);
      assert.ok(phases.includes("repair") && phases.includes("cache") && !phases.includes("download"), `${phases}`);
      assert.equal(faulty.requests.length, requests + 1);
      assert.equal(faulty.requests.at(-1).range, `bytes=${record}-${2 * record - 1}`);
      assert.equal(faulty.sent - sent, record);
      if (file) assert.match(await page.evaluate(capital), /Paris/);
      await page.evaluate(() => lm.unload());
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
      assert.equal(faulty.requests.length, requests + 1, "the repaired copy is used");
    });
  }

  test("records that an earlier version has stored as ArrayBuffers are read", async (t) => {
    const url = server.route("models/earlier.gguf", routes.bytes(padded(4)));
    const page = await site.blank(t);
    await page.evaluate((url) => load(url, { record_mb: 0.125 }).then((lm) => lm.unload()), url);
    const changed = await page.evaluate(() => asArrayBuffers());
    assert.ok(changed > 1, `${changed} records`);
    server.remove("models/earlier.gguf");
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
  });

  test("a download that is to replace a model goes on where it ended, and leaves nothing behind", async (t) => {
    const [model, other] = [padded(5), padded(6)];
    const faulty = new routes.FaultyFile(model);
    const url = server.route("models/replaced.gguf", faulty.handler);
    const page = await site.blank(t);
    const options = { record_mb: 0.125, retries: 0 };
    await page.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()), { url, options });
    // Each load is cut after 4 MiB of the new file, slowly, lest the browser hold too many of them back.
    Object.assign(faulty, { body: other, etag: '"2"', requests: [], plan: () => ({ cut: 4 * MiB, piece: 100_000, ms: 5 }) });
    options.sha256 = createHash("sha256").update(other).digest("hex");
    const begin = () => page.evaluate(({ url, options }) => attempt(() => load(url, options).then((lm) => lm.unload())), { url, options });
    for (let time = 0; time < 3; time++) assert.equal((await begin()).error?.code, "network");
    const stored = await page.evaluate(() => storedRecords());
    const named = stored.filter(({ store }) => store !== "records").map(({ text }) => JSON.parse(text).id);
    const ids = new Set(stored.filter(({ store }) => store === "records").map(({ key }) => key[1]));
    assert.deepEqual([...ids].sort(), named.sort());
    assert.equal(named.length, 2, "the model, and its download");
    faulty.plan = () => null;
    assert.equal((await begin()).error, undefined);
    const begun = faulty.requests.map(({ from }) => from);
    for (let time = 0; time < 3; time++) assert.ok(begun[time + 1] >= begun[time] + 2 * MiB, `${begun}`);
    assert.equal((await page.evaluate(() => PageLM.models())).filter((model) => model.url === url).length, 1);
  });

  test("what cannot be fetched again is told, and mended when it can", async (t) => {
    const body = writeGguf(tinyLlama());
    const url = server.route("models/offline.gguf", routes.bytes(body));
    const page = await site.blank(t);
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
    const [record] = (await page.evaluate(() => storedRecords())).filter(({ key, length }) => length > 0 && key[0].includes("offline"));
    await page.evaluate((record) => damage(record, "delete"), record);
    server.remove("models/offline.gguf");
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, "storage_corrupt", JSON.stringify(error));
    assert.equal(error.data.record, 0);
    server.route("models/offline.gguf", routes.bytes(body));
    await page.evaluate((url) => load(url).then(() => undefined), url);
  });
});

describe("the database goes away", async () => {
  const site = await openSite();
  const { server } = site;
  const body = padded(1);
  const slow = (body) => new routes.FaultyFile(body, { plan: () => ({ piece: 100_000, ms: 30 }) });

  test("deleted while a model is stored: the load goes on, and the next one stores it", async (t) => {
    const faulty = slow(body);
    const url = server.route("models/cleared.gguf", faulty.handler);
    const page = await site.blank(t);
    await page.evaluate(async (url) => {
      let deleted;
      const onProgress = ({ loaded }) => {
        if (loaded > 500_000 && !deleted) deleted = new Promise((resolve) => (indexedDB.deleteDatabase("pagelm").onsuccess = resolve));
      };
      const lm = await load(url, { record_mb: 0.125, onProgress });
      await deleted;
      await lm.unload();
    }, url);
    assert.deepEqual(await page.evaluate(() => PageLM.models()), []);
    faulty.plan = () => null;
    await page.evaluate((url) => load(url, { record_mb: 0.125 }).then((lm) => lm.unload()), url);
    assert.equal((await page.evaluate(() => PageLM.models()))[0]?.complete, true);
  });

  test("its connection closed while a model is stored: opened again", async (t) => {
    const url = server.route("models/upgraded.gguf", slow(body).handler);
    const page = await site.blank(t);
    await page.evaluate(async (url) => {
      let asked = false;
      const onProgress = ({ loaded }) => {
        if (loaded < 500_000 || asked) return;
        asked = true;
        // What another version of the library would do; it gives up at once.
        const request = indexedDB.open("pagelm", 2);
        request.onupgradeneeded = () => request.transaction.abort();
      };
      await load(url, { record_mb: 0.125, onProgress }).then((lm) => lm.unload());
    }, url);
    assert.equal((await page.evaluate(() => PageLM.models()))[0]?.complete, true);
  });

  test("a newer one is told at once", async (t) => {
    const url = server.route("models/newer.gguf", routes.bytes(tiny));
    const page = await site.blank(t);
    await page.evaluate(() => new Promise((resolve) => {
      const request = indexedDB.open("pagelm", 9);
      request.onsuccess = () => resolve(request.result.close());
    }));
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, "storage_unavailable", JSON.stringify(error));
  });
});

describe("IndexedDB refused", async () => {
  // What a visitor sets who blocks all site data: Chromium then denies the database itself.
  const site = await openSite({ prepare: blockSiteData });
  const url = site.server.route("models/tiny.gguf", routes.bytes(tiny));

  test("is an error of its own, and `cache: false` helps", async (t) => {
    const page = await site.blank(t);
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, "storage_unavailable", JSON.stringify(error));
    assert.match(error.message, /private mode/);
    await page.evaluate((url) => load(url, { cache: false }).then(() => undefined), url);
    assert.equal(await page.evaluate(completionLength), 4);
    const { error: listing } = await page.evaluate(() => attempt(() => PageLM.models()));
    assert.equal(listing?.code, "storage_unavailable");
  });
});

for (const storage of ["indexeddb", "opfs"]) describe(`no room, ${storage}`, async () => {
  // The quota can be narrowed in a profile on disk only.
  const site = await openSite({ onDisk: true });
  const { server } = site;
  const body = padded(1);
  const url = server.route("models/padded.gguf", routes.bytes(body));
  // Without a length there is nothing to compare before the first write that fails.
  const untold = server.route("models/untold.gguf", new routes.FaultyFile(padded(2), { length: false }).handler);

  test("is told with the bytes, nothing counts as complete, running from memory helps, and other models stay", async (t) => {
    const page = await site.blank(t);
    const session = await page.context().newCDPSession(page);
    // Before the first write: Chromium's database goes by the room that it has once been told of.
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 10 * MiB });
    const other = server.route("models/other.gguf", routes.bytes(tiny));
    await page.evaluate(({ other, storage }) => load(other, { storage }).then((lm) => lm.unload()), { other, storage });
    const asked = await page.evaluate(async ({ url, storage }) => {
      const asked = [];
      const outcomes = [];
      // To delete none is to fail; what is asked about is the other model alone.
      for (const decision of [undefined, "fail", [], "memory"]) {
        const onQuota = decision && ((quota) => (asked.push(quota), decision));
        outcomes.push((await attempt(() => load(url, { onQuota, storage }).then((lm) => lm.unload()))).error);
      }
      return { asked, outcomes };
    }, { url, storage });
    const [alone, fail, none, memory] = asked.outcomes;
    for (const error of [alone, fail, none]) assert.equal(error?.code, "storage_full", JSON.stringify(error));
    // Chromium does not tell of the narrowed quota before a write fails; what is stored by then stays.
    assert.ok(alone.data.needed <= body.length && alone.data.available < alone.data.needed, JSON.stringify(alone.data));
    assert.equal(memory, undefined);
    assert.equal(asked.asked.length, 3);
    assert.deepEqual(asked.asked.map(({ models }) => models.map(({ url }) => url)), [[other], [other], [other]]);

    const { error } = await page.evaluate(({ url, storage }) => attempt(() => load(url, { record_mb: 1, storage }).then(() => "loaded")), { url: untold, storage });
    assert.equal(error?.code, "storage_full", JSON.stringify(error));
    assert.ok(error.data.needed > error.data.available);
    const complete = (await page.evaluate(() => PageLM.models())).filter((model) => model.complete);
    assert.deepEqual(complete.map(({ url }) => url), [other]);
    const requests = server.count("models/other.gguf");
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), other);
    assert.equal(server.count("models/other.gguf"), requests, "the other model is not the stored one");
    await page.evaluate((url) => load(url, { cache: false }).then(() => undefined), url);
    assert.equal(await page.evaluate(completionLength), 4);

    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
    await page.evaluate(({ url, storage }) => load(url, { storage }).then((lm) => lm.unload()), { url, storage });
    const [last] = await page.evaluate(() => PageLM.models());
    assert.deepEqual([last.url, last.complete, last.storage], [url, true, storage]);
  });
});

for (const storage of ["indexeddb", "opfs"]) describe(`the browser clears the site's storage, ${storage}`, async () => {
  const site = await openSite({ onDisk: true });
  const { server } = site;
  const url = server.route("models/evicted.gguf", routes.bytes(padded(2)));

  test("a loaded model answers again, and is fetched once more, also by the next visit", async (t) => {
    const page = await site.blank(t);
    const session = await page.context().newCDPSession(page);
    const clear = () => session.send("Storage.clearDataForOrigin", { origin: server.origin, storageTypes: "all" });
    const requests = () => server.count("models/evicted.gguf");
    const loadTwice = async () => {
      for (let i = 0; i < 2; i++) await page.evaluate(({ url, storage }) => PageLM.load(url, { storage }).then((lm) => lm.unload()), { url, storage });
    };
    await loadTwice();
    assert.equal(requests(), 1);
    assert.equal(await page.evaluate((url) => load(url).then((lm) => lm.info.storage), url), storage);
    await clear();
    assert.deepEqual(await page.evaluate(() => PageLM.models()), []);
    // Chromium lets go of the site's locks as well, by which the page knows that its worker lives.
    assert.equal(await page.evaluate(completionLength), 4);
    await page.evaluate(() => lm.unload());
    await loadTwice();
    assert.equal(requests(), 2, "while it is open");
    await page.goto("about:blank");
    await clear();
    await page.goto(server.url("helpers.html"));
    await ready(page);
    assert.deepEqual(await page.evaluate(() => PageLM.models()), []);
    await loadTwice();
    assert.equal(requests(), 3, "between visits");
  });
});

async function blockSiteData(profile) {
  const block = 2; // Chromium's CONTENT_SETTING_BLOCK
  await mkdir(path.join(profile, "Default"), { recursive: true });
  const preferences = { profile: { default_content_setting_values: { cookies: block } } };
  await writeFile(path.join(profile, "Default", "Preferences"), JSON.stringify(preferences));
}

async function capital() {
  const result = await lm.completions.create({ prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
  return result.choices[0].text;
}

async function completionLength() {
  const result = await lm.completions.create({ prompt: "abc", max_tokens: 4, temperature: 0, ignore_eos: true });
  return result.usage.completion_tokens;
}
