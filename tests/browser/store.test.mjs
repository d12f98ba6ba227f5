// The stored copy of a model: damage is found and repaired, refusal and want of
// room are told apart, and running from memory is always possible.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { REAL_MODEL } from "./fixtures.mjs";
import { array, tinyLlama, writeGguf } from "./gguf.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const MiB = 2 ** 20;
const tiny = writeGguf(tinyLlama());

describe("a damaged record", needsRealModel(), async () => {
  const site = await openSite();
  const { server, realModel } = site;
  for (const how of ["flip a bit", "shorten", "delete"]) {
    test(`${how}: found, named, and repaired by the next load`, async (t) => {
      const page = await site.blank(t);
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), realModel);
      const records = (await page.evaluate(() => storedRecords())).filter(({ length }) => length > MiB / 2);
      const sizes = records.map(({ length }) => length);
      assert.ok(Math.max(...sizes) >= 8 * MiB && Math.max(...sizes) <= 16 * MiB, `records of ${sizes}`);
      await page.evaluate(({ record, how }) => damage(record, how), { record: records[1], how });

      await page.reload();
      await ready(page);
      const fetched = server.count(REAL_MODEL);
      const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), realModel);
      assert.equal(error?.code, "storage_corrupt", JSON.stringify(error));
      assert.equal(error.data.record, 1);
      assert.equal(server.count(REAL_MODEL), fetched, "the damage was hidden by a download");

      await page.evaluate((url) => load(url).then(() => undefined), realModel);
      assert.equal(server.count(REAL_MODEL), fetched + 1);
      assert.match(await page.evaluate(capital), /Paris/);
      await page.evaluate(() => lm.unload());
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), realModel);
      assert.equal(server.count(REAL_MODEL), fetched + 1, "the repaired copy is used");
    });
  }
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
  // Random bytes, as the database compresses what it stores.
  const padded = tinyLlama();
  padded.metadata["general.padding"] = array("i32", new Int32Array(randomBytes(24 * MiB).buffer));
  const url = site.server.route("models/padded.gguf", routes.bytes(writeGguf(padded)));

  test("is told with the bytes, leaves nothing behind, and `cache: false` helps", async (t) => {
    const page = await site.blank(t);
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: site.server.origin, quotaSize: 10 * MiB });
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, "storage_full", JSON.stringify(error));
    assert.ok(error.data.needed > 0);
    assert.deepEqual((await page.evaluate(() => PageLM.models())).filter((model) => model.complete), []);
    await page.evaluate((url) => load(url, { cache: false }).then(() => undefined), url);
    assert.equal(await page.evaluate(completionLength), 4);

    await session.send("Storage.overrideQuotaForOrigin", { origin: site.server.origin });
    await page.evaluate((url) => load(url).then((lm) => lm.unload()), url);
    assert.ok((await page.evaluate(() => PageLM.models())).some((model) => model.url === url && model.complete));
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
