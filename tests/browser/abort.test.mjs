// Aborting the real model in every phase: the request ends at once, as
// aborted, and the next one is answered as if nothing had been.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { REAL_MODEL_FILE } from "./fixtures.mjs";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;

test("abort in the download", needsRealModel(), async (t) => {
  // About 100 kB every 5 ms: the whole file would take a while.
  const url = server.route("models/slow.gguf", routes.trickleFile(REAL_MODEL_FILE, { piece: 100_000, ms: 5 }));
  const page = await site.blank(t);
  const outcome = await page.evaluate(async (url) => {
    const controller = new AbortController();
    let abortedAt;
    const onProgress = ({ loaded }) => {
      if (loaded > 2e6 && abortedAt === undefined) {
        abortedAt = performance.now();
        controller.abort();
      }
    };
    const result = await attempt(() => load(url, { signal: controller.signal, onProgress }).then(() => "loaded"));
    return { ...result, after: performance.now() - abortedAt };
  }, url);
  assert.equal(outcome.error?.code, "aborted");
  assert.ok(outcome.after < 1000, `${outcome.after} ms after the abort`);
  server.route("models/slow.gguf", routes.wholeFile(REAL_MODEL_FILE));
  await page.evaluate((url) => load(url).then(() => undefined), url);
});

test("a signal that is aborted already loads nothing", async (t) => {
  const page = await site.blank(t);
  const before = server.count("models/never.gguf");
  const { error } = await page.evaluate(
    (url) => attempt(() => load(url, { signal: AbortSignal.abort() }).then(() => "loaded")),
    server.url("models/never.gguf"),
  );
  assert.equal(error?.code, "aborted");
  assert.equal(server.count("models/never.gguf"), before);
});

test("a load that is aborted in the task that began it ends, and leaves nothing behind", async (t) => {
  const url = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
  const page = await site.blank(t);
  const outcome = await page.evaluate(async (url) => {
    const unhandled = [];
    addEventListener("unhandledrejection", ({ reason }) => unhandled.push(String(reason)));
    // One task, one microtask, and one turn of the loop: whatever has begun by then ends.
    const codes = [];
    for (const wait of [() => {}, () => Promise.resolve(), () => new Promise((resolve) => setTimeout(resolve))]) {
      const controller = new AbortController();
      const loading = attempt(() => PageLM.load(url, { signal: controller.signal }).then(() => "loaded"));
      await wait();
      controller.abort();
      codes.push((await loading).error?.code);
    }
    const locks = async () => Object.values(await navigator.locks.query()).flat().map(({ name }) => name);
    // They are released a moment later.
    for (let i = 0; i < 50 && (await locks()).length > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    return { codes, unhandled, locks: await locks() };
  }, url);
  assert.deepEqual(outcome, { codes: ["aborted", "aborted", "aborted"], unhandled: [], locks: [] });
});

test("abort while the engine's own files are on their way, and the next load is not held up", async (t) => {
  const url = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
  const binary = "pkg/wasm/simd/pagelm_bg.wasm";
  const page = await site.blank(t);
  server.route(binary, () => {}); // no answer ever comes
  t.after(() => server.unroute(binary));
  const stalled = await page.evaluate(async (url) => {
    const outcomes = [];
    const attempts = [
      (signal) => PageLM.load(url, { variant: "simd", shared: false, signal }),
      (signal) => PageLM.load(url, { variant: "simd", signal }),
    ];
    for (const act of attempts) {
      const controller = new AbortController();
      const request = attempt(() => act(controller.signal).then(() => "done"));
      await new Promise((resolve) => setTimeout(resolve, 300));
      controller.abort();
      const patience = new Promise((resolve) => setTimeout(resolve, 3000, { error: { code: "nothing for 3 s" } }));
      outcomes.push((await Promise.race([request, patience])).error?.code);
    }
    return outcomes;
  }, url);
  assert.deepEqual(stalled, ["aborted", "aborted"]);
  for (let i = 0; i < 40 && page.workers().length > 0; i++) await page.waitForTimeout(50); // told late
  assert.equal(page.workers().length, 0);
  server.unroute(binary);
  assert.equal(await page.evaluate((url) => load(url, { variant: "simd" }).then((lm) => lm.info.variant), url), "simd");
});

test("after a crash: an abort ends the wait for the engine that is made anew, and an unload is an unload", async (t) => {
  const url = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
  const binary = "pkg/wasm/simd/pagelm_bg.wasm";
  const page = await site.blank(t);
  await page.evaluate((url) => load(url, { variant: "simd", threads: 1, shared: false }).then(() => undefined), url);
  server.route(binary, () => {});
  t.after(() => server.unroute(binary));
  const lost = page.evaluate(() => attempt(() => lm.completions.create({ prompt: "a", max_tokens: 1e6, ignore_eos: true, context_policy: "shift" })));
  await page.waitForTimeout(100);
  await page.workers()[0].evaluate(() => self.close()).catch(() => {});
  assert.equal((await lost).error?.code, "worker_crashed");
  const codes = await page.evaluate(async () => {
    const aborted = await attempt(() => lm.completions.create({ prompt: "a", signal: AbortSignal.timeout(300) }));
    const waiting = attempt(() => lm.tokenize("a"));
    await lm.unload();
    return [aborted, await waiting, await attempt(() => lm.tokenize("a"))].map(({ error }) => error?.code);
  });
  assert.deepEqual(codes, ["aborted", "unloaded", "unloaded"]);
});

describe("with the model loaded", needsRealModel(), () => {
  let context;
  let page;
  let expected;
  before(async () => {
    context = await site.browser.newContext();
    page = await context.newPage();
    await page.goto(server.url("helpers.html"));
    await ready(page);
    await page.evaluate((url) => load(url).then(() => undefined), site.realModel);
    expected = await page.evaluate(answer);
  });
  after(() => context.close());

  test("abort in prefill", async () => {
    const outcome = await page.evaluate(async () => {
      const prompt = "word ".repeat(1500);
      const controller = new AbortController();
      const heard = [];
      const onProgress = ({ loaded, total }) => {
        heard.push([loaded, total]);
        if (loaded > 0 && loaded < total) controller.abort();
      };
      const result = await attempt(() => lm.completions.create({ prompt, max_tokens: 1, cache_prompt: false, signal: controller.signal, onProgress }).then(() => "answered"));
      return { ...result, heard };
    });
    assert.equal(outcome.error?.code, "aborted");
    // It may be in the middle of a chunk of the prompt; one more is computed at most.
    const [first, last] = [outcome.heard.findIndex(([loaded]) => loaded > 0), outcome.heard.length - 1];
    assert.ok(last - first <= 2 && outcome.heard[last][0] < outcome.heard[last][1], JSON.stringify(outcome.heard));
    assert.equal(await page.evaluate(answer), expected);
  });

  test("abort in decode, within one token", async () => {
    const outcome = await page.evaluate(async () => {
      const controller = new AbortController();
      const times = [];
      const result = await attempt(async () => {
        const stream = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 1000, ignore_eos: true, stream: true, signal: controller.signal });
        for await (const _ of stream) {
          times.push(performance.now());
          if (times.length === 20) controller.abort();
        }
        return "ended";
      });
      const perToken = (times[19] - times[0]) / 19;
      return { ...result, tokens: times.length, after: performance.now() - times[19], perToken };
    });
    assert.equal(outcome.error?.code, "aborted");
    assert.ok(outcome.tokens <= 22, `${outcome.tokens} chunks`);
    // A few tokens' time, as the clock of a busy machine is coarse.
    assert.ok(outcome.after < Math.max(4 * outcome.perToken, 100), `${outcome.after} ms after the abort, ${outcome.perToken} ms a token`);
    assert.equal(await page.evaluate(answer), expected);
  });

  test("leaving the iterator stops the engine", async () => {
    const outcome = await page.evaluate(async () => {
      const stream = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 2000, ignore_eos: true, stream: true });
      let chunks = 0;
      for await (const _ of stream) if (++chunks === 5) break;
      const start = performance.now();
      await lm.tokenize("a");
      return { chunks, waited: performance.now() - start };
    });
    assert.equal(outcome.chunks, 5);
    assert.ok(outcome.waited < 500, `the worker was busy for ${outcome.waited} ms more`);
    assert.equal(await page.evaluate(answer), expected);
  });

  test("aborting a request that waits, and one that has ended", async () => {
    const outcome = await page.evaluate(async () => {
      const [first, second] = [new AbortController(), new AbortController()];
      const running = attempt(() => lm.completions.create({ prompt: "Once", max_tokens: 30, ignore_eos: true, signal: first.signal }).then((r) => r.usage.completion_tokens));
      const waiting = attempt(() => lm.completions.create({ prompt: "Twice", max_tokens: 30, signal: second.signal }).then(() => "answered"));
      second.abort();
      const results = [await waiting, await running];
      first.abort();
      return results;
    });
    assert.equal(outcome[0].error?.code, "aborted");
    assert.equal(outcome[1].value, 30);
    assert.equal(await page.evaluate(answer), expected);
  });

  test("other calls are answered while a text is generated", async () => {
    const tokens = await page.evaluate(async () => {
      const stream = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 30, ignore_eos: true, stream: true });
      let tokens;
      let chunks = 0;
      for await (const _ of stream) if (++chunks === 3) tokens = lm.tokenize("hello");
      return await tokens;
    });
    assert.ok(tokens.length > 0);
  });
});

async function answer() {
  const result = await lm.chat.completions.create({
    messages: [{ role: "user", content: "Name the capital of France." }],
    max_tokens: 16,
    temperature: 0,
  });
  return result.choices[0].message.content;
}
