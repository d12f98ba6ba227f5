// Loads, unloads and requests leave nothing behind: memory of the renderer and the page's own
// heap after many of them, against those after a few. PAGELM_CYCLES and PAGELM_REQUESTS say how many.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import { rendererMemory, settled } from "./renderer-memory.mjs";
import * as routes from "./routes.mjs";

const CYCLES = Number(process.env.PAGELM_CYCLES ?? 500);
const REQUESTS = Number(process.env.PAGELM_REQUESTS ?? 2000);
const MiB = 2 ** 20;
/**
 * What code, caches of the browser and the collector's moods may differ by: up to 20 MiB either
 * way were seen. An engine that stayed would be several MiB in each cycle.
 */
const SLACK = 30 * MiB;
/** What compiled code of the page and its caches may add to its own heap. */
const HEAP_SLACK = 1 * MiB;

const site = await openSite();
const url = site.server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
const runnable = process.platform === "linux" ? {} : { skip: "reads /proc, which only Linux has" };

test(`${CYCLES} loads and unloads, ${REQUESTS} requests`, runnable, async (t) => {
  const page = await site.blank(t);
  const read = await rendererMemory(page.context());
  const session = await page.context().newCDPSession(page);
  const collect = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const memory = await settled(read);
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return { memory, heap: usedSize };
  };
  /** Does `act(n)` until `count` are done, in five steps, and tells after each what it has added. */
  const grown = async (what, count, act) => {
    const before = await collect();
    let after = before;
    const added = () => `memory ${mib(after.memory - before.memory)}, heap ${mib(after.heap - before.heap)}`;
    for (let done = 0; done < count; ) {
      const step = Math.min(Math.ceil(count / 5), count - done);
      await act(step);
      done += step;
      after = await collect();
      t.diagnostic(`${what}, ${done}: ${added()}`);
    }
    // The browser takes its time with the last workers; what leaks stays.
    for (let again = 0; again < 5 && after.memory - before.memory > SLACK; again++) {
      await sleep(2000);
      after = await collect();
    }
    assert.ok(after.memory - before.memory < SLACK && after.heap - before.heap < HEAP_SLACK, `${count} ${what} added: ${added()}`);
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
  await grown("cycles", CYCLES, cycles);
  assert.equal(page.workers().length, 0);

  await page.evaluate((url) => load(url).then(() => undefined), url);
  await requests(40);
  await grown("requests", REQUESTS, requests);
});

function mib(bytes) {
  return `${(bytes / MiB).toFixed(2)} MiB`;
}
