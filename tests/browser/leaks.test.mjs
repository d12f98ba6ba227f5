// Loads, unloads and requests leave nothing behind: memory of the renderer after many of
// them, against that after a few. PAGELM_CYCLES and PAGELM_REQUESTS measure more of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import { rendererMemory, settled } from "./renderer-memory.mjs";
import * as routes from "./routes.mjs";

const CYCLES = Number(process.env.PAGELM_CYCLES ?? 30);
const REQUESTS = Number(process.env.PAGELM_REQUESTS ?? 200);
const MiB = 2 ** 20;
/**
 * What code, caches of the browser and the collector's moods may differ by: up to 20 MiB either
 * way were seen. An engine that stayed would be several MiB in each cycle.
 */
const SLACK = 30 * MiB;

const site = await openSite();
const url = site.server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
const runnable = process.platform === "linux" ? {} : { skip: "reads /proc, which only Linux has" };

test(`${CYCLES} loads and unloads, ${REQUESTS} requests`, runnable, async (t) => {
  const page = await site.blank(t);
  const read = await rendererMemory(page.context());
  const collect = async () => {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    await session.detach();
    return settled(read);
  };
  const cycles = (n) => page.evaluate(async ([url, n]) => {
    for (let i = 0; i < n; i++) {
      const lm = await PageLM.load(url);
      await lm.completions.create({ prompt: "abc", max_tokens: 2, ignore_eos: true });
      await lm.unload();
    }
  }, [url, n]);
  const requests = (n) => page.evaluate(async (n) => {
    for (let i = 0; i < n; i++) {
      if (i % 4 === 0) for await (const _ of await lm.completions.create({ prompt: `a${i}`, max_tokens: 4, ignore_eos: true, stream: true })) break;
      else if (i % 4 === 1) await attempt(() => lm.completions.create({ prompt: "a", signal: AbortSignal.timeout(1), max_tokens: 50 }));
      else await lm.chat.completions.create({ messages: [{ role: "user", content: `a${i}` }], max_tokens: 4, ignore_eos: true, logprobs: true, top_logprobs: 2 });
    }
  }, n);

  await cycles(5);
  const before = await collect();
  await cycles(CYCLES);
  const after = await collect();
  t.diagnostic(`${CYCLES} cycles: ${((after - before) / MiB).toFixed(2)} MiB more`);
  assert.ok(after - before < SLACK, `${(after - before) / MiB} MiB after ${CYCLES} cycles`);
  assert.equal(page.workers().length, 0);

  await page.evaluate((url) => load(url).then(() => undefined), url);
  await requests(40);
  const warm = await collect();
  await requests(REQUESTS);
  const end = await collect();
  t.diagnostic(`${REQUESTS} requests: ${((end - warm) / MiB).toFixed(2)} MiB more`);
  assert.ok(end - warm < SLACK, `${(end - warm) / MiB} MiB after ${REQUESTS} requests`);
});
