// What a request may ask of the real model, several requests at once, readers that are
// slow, and workers that die.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { REAL_MODEL } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";

const site = await openSite();
const messages = [{ role: "user", content: "Name the capital of France." }];

describe("requests", needsRealModel(), () => {
  let context;
  let page;
  before(async () => {
    context = await site.browser.newContext();
    page = await site.visit(context);
  });
  after(() => context.close());

  const chat = (request) => page.evaluate((request) => lm.chat.completions.create(request), request);
  const complete = (request) => page.evaluate((request) => lm.completions.create(request), request);
  const refusal = (request) => page.evaluate((request) => attempt(() => lm.chat.completions.create(request)), request).then(({ error }) => error);

  test("chat log-probabilities have OpenAI's shape, whole and streamed", async () => {
    const request = { messages, temperature: 0, max_tokens: 12, logprobs: true, top_logprobs: 3 };
    const whole = (await chat(request)).choices[0];
    const { content, refusal } = whole.logprobs;
    assert.equal(refusal, null);
    assert.ok(content.length > 3);
    assert.equal(content.map(({ token }) => token).join(""), whole.message.content);
    for (const { token, id, logprob, bytes, top_logprobs } of content) {
      assert.equal(new TextDecoder().decode(Uint8Array.from(bytes)), token);
      assert.equal(top_logprobs.length, 3);
      assert.ok(top_logprobs[0].logprob >= top_logprobs[1].logprob && logprob <= 0);
      // Greedy: what came is the best.
      assert.deepEqual({ token, id, logprob, bytes }, top_logprobs[0]);
    }
    const ids = await page.evaluate((text) => lm.tokenize(text), whole.message.content);
    assert.deepEqual(content.map(({ id }) => id), ids);

    const chunks = await page.evaluate((request) => collect(lm.chat.completions.create({ ...request, stream: true })), request);
    const streamed = chunks.flatMap((chunk) => chunk.choices[0].logprobs?.content ?? []);
    assert.deepEqual(streamed, content);
    assert.equal((await chat({ ...request, logprobs: false, top_logprobs: 0 })).choices[0].logprobs, null);
    assert.equal((await chat({ ...request, top_logprobs: 0 })).choices[0].logprobs.content[0].top_logprobs.length, 0);
    assert.equal((await page.evaluate((request) => attempt(() => lm.chat.completions.create(request)), { ...request, logprobs: false })).error.code, "bad_request");
  });

  test("tokens that are not whole characters have their bytes", async () => {
    const [part, ...others] = await page.evaluate(() => lm.tokenize("🇫🇷"));
    assert.ok(others.length > 0, "a flag has more than one token");
    const result = await complete({ prompt: "Flags: 🇫🇷", max_tokens: 3, temperature: 0, logprobs: 1, logit_bias: { [part]: 100 } });
    const { tokens } = result.choices[0].logprobs;
    assert.ok(tokens.length === 3 && tokens.every((token) => token.startsWith("bytes:\\x")), tokens.join("|"));
    const answer = await chat({ messages: [{ role: "user", content: "Repeat: 🇫🇷 🇩🇪 🇫🇷 🇩🇪" }], max_tokens: 30, seed: 1, logprobs: true, logit_bias: {} });
    const bytes = answer.choices[0].logprobs.content.flatMap((entry) => entry.bytes);
    const text = new TextDecoder().decode(Uint8Array.from(bytes));
    assert.ok(text.startsWith(answer.choices[0].message.content.replace(/\ufffd+$/, "")), text);
  });

  test("n gives several answers, each with its seed, and computes the prompt once", async () => {
    const request = { messages: [{ role: "user", content: "Tell me a story." }], temperature: 1, max_tokens: 8, seed: 5 };
    const several = await chat({ ...request, n: 3, ignore_eos: true });
    assert.deepEqual(several.choices.map(({ index }) => index), [0, 1, 2]);
    assert.equal(several.usage.completion_tokens, 24);
    const texts = several.choices.map(({ message }) => message.content);
    assert.equal(new Set(texts).size, 3);
    assert.equal((await chat({ ...request, seed: 6, ignore_eos: true })).choices[0].message.content, texts[1]);
    const chunks = await page.evaluate((request) => collect(lm.chat.completions.create({ ...request, n: 3, ignore_eos: true, stream: true })), request);
    const text = (index) => chunks.filter(({ choices }) => choices[0].index === index).map(({ choices }) => choices[0].delta.content ?? "").join("");
    assert.deepEqual([text(0), text(1), text(2)], texts);
    assert.deepEqual(chunks.filter(({ usage }) => usage).map(({ usage }) => usage.completion_tokens), [24]);
    assert.equal(chunks.filter(({ choices }) => choices[0].finish_reason === "length").length, 3);
    assert.equal((await refusal({ messages, n: 0 })).code, "bad_request");
  });

  test("each way to choose tokens repeats with its seed and changes the answer", async () => {
    const request = { prompt: "Once upon a time, there was a", max_tokens: 24, seed: 3, temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
    const text = async (more) => (await complete({ ...request, ...more })).choices[0].text;
    const plain = await text({});
    const ways = [
      { typical_p: 0.3 },
      { mirostat: 1, mirostat_tau: 2 },
      { mirostat: 2, mirostat_tau: 2, mirostat_eta: 0.2 },
      { xtc_probability: 1, xtc_threshold: 0.05 },
      { frequency_penalty: 2 },
      { presence_penalty: 2 },
      { repetition_penalty: 1.8, repeat_last_n: 32 },
    ];
    for (const way of ways) {
      const once = await text(way);
      assert.notEqual(once, plain, JSON.stringify(way));
      assert.equal(await text(way), once, JSON.stringify(way));
    }
    // Greedy text of a small model repeats itself; DRY does not let it.
    const greedy = { prompt: "one two three four one two three four one two three", max_tokens: 8, temperature: 0 };
    assert.match((await complete(greedy)).choices[0].text, /^ four/);
    assert.doesNotMatch((await complete({ ...greedy, dry_multiplier: 10 })).choices[0].text, /^ four/);
    const [space] = await page.evaluate(() => lm.tokenize(" Paris"));
    const question = { prompt: "The capital of France is", max_tokens: 1, temperature: 0 };
    assert.match((await complete(question)).choices[0].text, /Paris/);
    assert.doesNotMatch((await complete({ ...question, logit_bias: { [space]: -100 } })).choices[0].text, /Paris/);
  });

  test("a reader that stops holds the worker back, and nobody else", async () => {
    const outcome = await page.evaluate(async () => {
      const slow = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 300, ignore_eos: true, temperature: 0, stream: true });
      const iterator = slow[Symbol.asyncIterator]();
      const pieces = [(await iterator.next()).value];
      // The other request runs to its end while the first has a full window.
      const other = await lm.completions.create({ prompt: "The capital of France is", max_tokens: 4, temperature: 0 });
      await new Promise((resolve) => setTimeout(resolve, 500));
      for (;;) {
        const { value, done } = await iterator.next();
        if (done) break;
        pieces.push({ ...value, at: performance.now() });
      }
      const whole = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 300, ignore_eos: true, temperature: 0 });
      const times = pieces.slice(1, -1).map(({ at }) => at);
      const burst = times.findIndex((at, i) => i > 0 && at - times[i - 1] > 1);
      return { text: pieces.map(({ choices }) => choices[0].text).join(""), whole: whole.choices[0].text, other: other.choices[0].text, burst };
    });
    assert.match(outcome.other, /Paris/);
    assert.equal(outcome.text, outcome.whole, "what was displaced is computed again, to the same text");
    assert.ok(outcome.burst > 0 && outcome.burst <= 144, `${outcome.burst} tokens lay unread`);
  });

  test("leaving the loop ends the request", async () => {
    const outcome = await page.evaluate(async () => {
      let tokens = 0;
      for await (const _ of await lm.completions.create({ prompt: "Once upon a time", max_tokens: 3000, ignore_eos: true, stream: true })) {
        if (++tokens === 5) break;
      }
      const start = performance.now();
      await lm.completions.create({ prompt: "a", max_tokens: 1 });
      return { tokens, ms: performance.now() - start };
    });
    assert.equal(outcome.tokens, 5);
    assert.ok(outcome.ms < 2000, `${outcome.ms} ms until the next answer`);
  });

  test("a later request need not wait for all that came before", async () => {
    const order = await page.evaluate(async () => {
      const order = [];
      const ask = (name, request) => lm.completions.create({ prompt: "a", ignore_eos: true, ...request }).then(() => order.push(name));
      await Promise.all([ask("many", { n: 3, max_tokens: 12 }), ask("one", { max_tokens: 2 })]);
      return order;
    });
    assert.deepEqual(order, ["one", "many"]);
  });

  for (const [how, code, kill] of [
    ["ended by the browser", "worker_crashed", () => self.close()],
    ["thrown out by an exception", "internal", () => setTimeout(() => { throw new Error("a defect"); })],
  ]) {
    test(`a worker ${how}: a typed error within a second, then all goes on`, async (t) => {
      // One thread: then there is one worker, and it is the engine's.
      const page = await site.visit(context, { threads: 1 });
      t.after(() => page.close());
      const running = page.evaluate(async () => {
        const start = performance.now();
        let last = start;
        const { error } = await attempt(async () => {
          const stream = await lm.completions.create({ prompt: "Once upon a time", max_tokens: 3000, ignore_eos: true, stream: true });
          for await (const _ of stream) {
            last = performance.now();
            globalThis.underWay = true;
          }
        });
        globalThis.underWay = false;
        return { error, after: performance.now() - last };
      });
      await page.waitForFunction(() => globalThis.underWay === true);
      const [worker] = page.workers();
      await worker.evaluate(kill).catch(() => {}); // it may be gone before it answers
      const { error, after } = await running;
      assert.equal(error?.code, code, JSON.stringify(error));
      assert.ok(error.typed && after < 1000, `${after} ms`);
      const requests = site.server.count(REAL_MODEL);
      const both = await page.evaluate(() => Promise.all([1, 2].map(() => lm.completions.create({ prompt: "The capital of France is", max_tokens: 4, temperature: 0 }))));
      for (const answer of both) assert.match(answer.choices[0].text, /Paris/);
      assert.equal(site.server.count(REAL_MODEL), requests, "loaded again from the store");
    });
  }
});
