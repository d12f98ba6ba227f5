// Memory of the renderer with the real model loaded, above that of the empty
// page and the KV cache, as a multiple of the file. Read from the
// kernel (Linux), because no browser interface counts wasm memory and its copies.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";

const MiB = 2 ** 20;
const LIMIT = 1.35;

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
    assert.ok(answered - empty <= LIMIT * file + cache, report.join("; "));
  });
}

/** Bytes of the KV cache of SmolLM2-135M in f32: 30 layers, 3 heads of 64, K and V. */
function smollmCache(context) {
  return 30 * 2 * 3 * 64 * 4 * context;
}

/** A function that sums the private memory of all renderer processes, in bytes. */
async function rendererMemory(context) {
  const session = await context.browser().newBrowserCDPSession();
  return async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { id }) => sum + privateBytes(id), 0);
  };
}

/** Memory that belongs to this process alone, resident or swapped out. */
function privateBytes(pid) {
  let rollup;
  try {
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  } catch {
    return 0; // the process has just ended
  }
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
  return field("Private_Clean") + field("Private_Dirty") + field("Swap");
}

/** The value once it no longer moves, within 1 MiB, for a second. */
async function settled(read) {
  let last = await read();
  for (let quiet = 0, turns = 0; quiet < 4 && turns < 60; turns++) {
    await sleep(250);
    const now = await read();
    quiet = Math.abs(now - last) < MiB ? quiet + 1 : 0;
    last = now;
  }
  return last;
}

function mib(bytes) {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}
