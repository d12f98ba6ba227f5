// The stored copy of a model: damage is found and repaired, refusal and want of
// room are told apart, and running from memory is always possible.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { array, tinyLlama, writeGguf } from "./gguf.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";
import { FaultyFile } from "./routes.mjs";

const MiB = 2 ** 20;
const tiny = writeGguf(tinyLlama());
const PADDING = new Uint8Array(randomBytes(5 * MiB));

describe("a damaged record", needsRealModel(), async () => {
  const site = await openSite();
  const { server } = site;
  const file = readFileSync(REAL_MODEL_FILE);
  const faulty = new FaultyFile(file);
  const url = server.route("models/damaged.gguf", faulty.handler);
  for (const how of ["flip a bit", "shorten", "delete"]) {
    test(`${how}: found, and only that record fetched again`, async (t) => {
      const page = await site.blank(t);
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
      const records = (await page.evaluate(() => storedRecords())).filter(({ length }) => length > MiB / 2);
      const sizes = records.map(({ length }) => length);
      assert.ok(Math.max(...sizes) >= 8 * MiB && Math.max(...sizes) <= 16 * MiB, `records of ${sizes}`);
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
      assert.equal(faulty.requests.at(-1).range, `bytes=${8 * MiB}-${16 * MiB - 1}`);
      assert.equal(faulty.sent - sent, 8 * MiB);
      assert.match(await page.evaluate(capital), /Paris/);
      await page.evaluate(() => lm.unload());
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
      assert.equal(faulty.requests.length, requests + 1, "the repaired copy is used");
    });
  }

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
  const slow = (body) => new FaultyFile(body, { plan: () => ({ piece: 100_000, ms: 30 }) });

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

describe("no room", async () => {
  // The quota can be narrowed in a profile on disk only.
  const site = await openSite({ onDisk: true });
  const { server } = site;
  const urls = [1, 2, 3].map((n) => server.route(`models/padded${n}.gguf`, routes.bytes(padded(n))));
  const size = padded(1).length;
  /** Leaves room for so many bytes more. */
  const narrow = async (page, room) => {
    const session = await page.context().newCDPSession(page);
    const usage = await page.evaluate(() => PageLM.storage().then(({ usage }) => usage));
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: usage + room });
    return session;
  };

  test("is told before the download, touches no other model, and `cache: false` helps", async (t) => {
    const page = await site.blank(t);
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), urls[0]);
    await narrow(page, size / 2);
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), urls[1]);
    assert.equal(error?.code, "storage_full", JSON.stringify(error));
    assert.equal(error.data.needed, size);
    assert.ok(error.data.available < size && error.data.available > size / 4, JSON.stringify(error.data));
    assert.deepEqual((await page.evaluate(() => PageLM.models())).map(({ url, complete }) => ({ url, complete })), [{ url: urls[0], complete: true }]);
    await page.evaluate((url) => load(url, { cache: false }).then(() => undefined), urls[1]);
    assert.equal(await page.evaluate(completionLength), 4);
  });

  test("at the first write that fails: nothing counts as complete, and what is there is used", async (t) => {
    // Without a length there is nothing to compare before.
    const faulty = new FaultyFile(padded(4), { length: false });
    const url = server.route("models/untold.gguf", faulty.handler);
    const page = await site.blank(t);
    await narrow(page, size / 2);
    const options = { record_mb: 0.25 };
    const { error } = await page.evaluate(({ url, options }) => attempt(() => load(url, options).then(() => "loaded")), { url, options });
    assert.equal(error?.code, "storage_full", JSON.stringify(error));
    assert.ok(error.data.needed > error.data.available);
    const models = await page.evaluate(() => PageLM.models());
    assert.deepEqual(models.filter(({ complete }) => complete).map((model) => model.url), [urls[0]]);
    await narrow(page, 100 * MiB);
    await page.evaluate(({ url, options }) => load(url, options).then((lm) => lm.unload()), { url, options });
    assert.ok(faulty.requests.at(-1).from > 0, "it began again");
    await page.evaluate((url) => PageLM.remove(url), url);
  });

  test("onQuota is asked, and others are deleted only if it says so, the oldest first", async (t) => {
    const page = await site.blank(t);
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), urls[1]);
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), urls[0]);
    await narrow(page, size / 2);
    const loadWith = (decision) => page.evaluate(({ url, decision }) => {
      const asked = [];
      const onQuota = async (quota) => (asked.push(quota), decision);
      return attempt(() => load(url, { onQuota }).then((lm) => lm.unload())).then((outcome) => ({ ...outcome, asked }));
    }, { url: urls[2], decision });
    const stored = () => page.evaluate(() => PageLM.models().then((models) => models.map(({ url }) => url)));

    const refused = await loadWith("fail");
    assert.equal(refused.error?.code, "storage_full");
    assert.equal(refused.asked.length, 1);
    assert.deepEqual(refused.asked[0].models.map(({ url }) => url), [urls[1], urls[0]], "the least recently used first");
    assert.deepEqual(await stored(), [urls[0], urls[1]]);
    assert.equal((await loadWith("memory")).error, undefined);
    assert.deepEqual(await stored(), [urls[0], urls[1]]);
    assert.equal((await loadWith("evict")).error, undefined);
    assert.deepEqual(await stored(), [urls[2], urls[0]]);
  });
});

/** A sound model of some MiB that do not shrink when the database compresses what it stores. */
function padded(n) {
  const model = tinyLlama();
  model.metadata["general.padding"] = array("i32", new Int32Array(PADDING.buffer, 4096 * n, MiB));
  return writeGguf(model);
}

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
