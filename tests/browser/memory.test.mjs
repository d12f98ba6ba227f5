// Memory of the renderer with the real model loaded, above that of the empty
// page and the KV cache, as a multiple of the file.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import { rendererMemory, settled } from "./renderer-memory.mjs";

const MiB = 2 ** 20;
const LIMIT = 1.35;
/** What an answer may add: code that the browser compiles better once it is hot. */
const ANSWER = 4 * MiB;

const runnable = process.platform === "linux" ? needsRealModel() : { skip: "reads /proc, which only Linux has" };

for (const visit of ["network", "cache"]) {
  test(`after a load from the ${visit}`, runnable, async (t) => {
    const site = await openSite({ onDisk: true });
    if (visit === "cache") {
      const page = await site.blank(t);
      await page.evaluate((url) => load(url).then((lm) => lm.unload()), site.realModel);
      await page.close();
    }
    const page = await site.blank(t);
    await ready(page);
    const read = await rendererMemory(site.profile.context);
    const empty = await settled(read);
    let peak = 0;
    const loading = page.evaluate((url) => load(url, { context: 2048 }).then(({ info }) => ({ context: info.context, memory: info.memory })), site.realModel);
    let busy = true;
    loading.finally(() => (busy = false)).catch(() => {});
    while (busy) {
      peak = Math.max(peak, await read());
      await sleep(50);
    }
    const info = await loading;
    const loaded = await settled(read);
    await page.evaluate(() => lm.completions.create({ prompt: "The capital of France is", max_tokens: 8 }).then(() => undefined));
    const answered = await settled(read);

    const file = statSync(REAL_MODEL_FILE).size;
    const cache = info.memory.kv_cache;
    assert.ok(cache > 0 && cache <= smollmCache(info.context), `KV cache of ${cache} bytes`);
    const report = [
      `file ${mib(file)}, KV cache ${mib(cache)} (context ${info.context}), empty page ${mib(empty)}`,
      `above it: peak while loading ${mib(peak - empty)}, loaded ${mib(loaded - empty)}, after an answer ${mib(answered - empty)}`,
      `(loaded - KV cache) / file = ${((loaded - empty - cache) / file).toFixed(3)}`,
    ];
    for (const line of report) t.diagnostic(line);
    assert.ok(loaded - empty <= LIMIT * file + cache, report.join("; "));
    assert.ok(answered - loaded <= ANSWER, report.join("; "));
  });
}

/** Bytes of the KV cache of SmolLM2-135M in f32: 30 layers, 3 heads of 64, K and V. */
function smollmCache(context) {
  return 30 * 2 * 3 * 64 * 4 * context;
}

function mib(bytes) {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}
