// Answers of the real model: streamed and whole, when they end, and against
// the reference's greedy text.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fixture, needs, readJson } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";

const site = await openSite();
const GREEDY = ["real", "smollm2-135m-q4_1", "greedy.json"];

describe("the real model", needsRealModel(), () => {
  let context;
  let page;
  before(async () => {
    context = await site.browser.newContext();
    page = await site.visit(context);
  });
  after(() => context.close());

  const complete = (request) => page.evaluate((request) => lm.completions.create(request), request);
  const chat = (request) => page.evaluate((request) => lm.chat.completions.create(request), request);
  const chatChunks = (request) => page.evaluate((request) => collect(lm.chat.completions.create({ ...request, stream: true })), request);
  const question = { messages: [{ role: "user", content: "Name the capital of France." }], max_tokens: 24, temperature: 0 };

  test("has the OpenAI shape, whole and streamed, with the same text", async () => {
    const whole = await chat(question);
    assert.equal(whole.object, "chat.completion");
    assert.equal(whole.choices.length, 1);
    assert.equal(whole.choices[0].message.role, "assistant");
    assert.match(whole.choices[0].message.content, /Paris/);

    const chunks = await chatChunks(question);
    assert.ok(chunks.every((chunk) => chunk.object === "chat.completion.chunk" && chunk.id === chunks[0].id));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");
    assert.equal(text, whole.choices[0].message.content);
    const last = chunks.at(-1);
    assert.equal(last.choices[0].finish_reason, whole.choices[0].finish_reason);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.choices[0].finish_reason === null));
    assert.deepEqual(pickCounts(last.usage), pickCounts(whole.usage));
    assert.ok(last.timings.prefill_ms > 0 && last.timings.decode_ms > 0);
  });

  test("streams as it goes: a chunk for a token, spread over the decode", async () => {
    const request = { ...question, max_tokens: 48, ignore_eos: true, cache_prompt: false };
    const chunks = (await chatChunks(request)).filter((chunk) => chunk.choices[0]?.delta?.content);
    // Plain English: every token ends in a whole character, so none is held back.
    assert.ok(chunks.length >= 45, `${chunks.length} chunks for 48 tokens`);
    const [first, last] = [chunks[0].at, chunks.at(-1).at];
    const middle = chunks[chunks.length >> 1].at;
    assert.ok((middle - first) / (last - first) > 0.2 && (middle - first) / (last - first) < 0.8, "chunks come in one heap");
  });

  test("finish_reason is length at max_tokens, stop at the end of the answer", async () => {
    const cut = await chat({ ...question, max_tokens: 3 });
    assert.equal(cut.choices[0].finish_reason, "length");
    assert.equal(cut.usage.completion_tokens, 3);
    const ended = await chat({ ...question, max_tokens: 200 });
    assert.equal(ended.choices[0].finish_reason, "stop");
    assert.ok(ended.usage.completion_tokens < 200);
    assert.doesNotMatch(ended.choices[0].message.content, /<\|im_end\|>/);
    const ignored = await chat({ ...question, max_tokens: 60, ignore_eos: true });
    assert.equal(ignored.usage.completion_tokens, 60);
  });

  test("stop strings end the text before themselves, across tokens", async () => {
    const request = { prompt: "One, two, three, four,", max_tokens: 40, temperature: 0, cache_prompt: false };
    const free = (await complete(request)).choices[0].text;
    assert.ok(free.length > 20, free);
    // A piece from the middle that no single token is.
    const stop = free.slice(8, 15);
    const expected = free.slice(0, free.indexOf(stop));
    const stopped = await complete({ ...request, stop: [stop] });
    assert.equal(stopped.choices[0].text, expected);
    assert.equal(stopped.choices[0].finish_reason, "stop");
    const streamed = await page.evaluate((request) => collect(lm.completions.create({ ...request, stream: true })).then(textOf), { ...request, stop });
    assert.equal(streamed, expected, "a streamed text holds back what may become a stop string");
    const never = await complete({ ...request, stop: ["\u0000never"] });
    assert.equal(never.choices[0].text, free);
  });

  test("drafts change nothing but the time, and are counted", async () => {
    const list = "red, green, blue, yellow, black, white, orange, purple";
    const request = { prompt: `Colours: ${list}. Once more: ${list}. Colours: red,`, max_tokens: 24, temperature: 0, ignore_eos: true };
    const drafted = await complete(request);
    const plain = await complete({ ...request, prompt_lookup: false });
    assert.equal(drafted.choices[0].text, plain.choices[0].text);
    assert.ok(drafted.timings.draft_n_accepted > 0 && drafted.timings.draft_n_accepted <= drafted.timings.draft_n, JSON.stringify(drafted.timings));
    assert.equal(plain.timings.draft_n, 0);
  });

  test("a profile tells where the time goes", async () => {
    const { prefill, decode } = await page.evaluate(() => lm.profile({ prefill: 64, decode: 4 }));
    for (const [phase, tokens] of [[prefill, 64], [decode, 4]]) {
      assert.equal(phase.tokens, tokens);
      const sum = Object.values(phase.ops).reduce((a, b) => a + b);
      assert.ok(sum > 0.8 * phase.ms && sum <= phase.ms * 1.01, JSON.stringify(phase));
    }
    const { error } = await page.evaluate(() => attempt(() => lm.profile({ prefill: 2 ** 30 })));
    assert.equal(error?.code, "context_overflow");
  });

  test("usage counts the prompt, the answer, and what the cache had", async () => {
    const messages = question.messages;
    const counted = await page.evaluate((messages) => lm.countTokens(messages), messages);
    const rendered = await page.evaluate((messages) => lm.render(messages), messages);
    assert.equal(rendered.tokens.length, counted);
    assert.deepEqual(await page.evaluate((text) => lm.tokenize(text, { special: true }), rendered.text), rendered.tokens);
    await chat({ ...question, cache_prompt: false });
    const again = await chat(question);
    assert.equal(again.usage.prompt_tokens, counted);
    assert.equal(again.usage.total_tokens, again.usage.prompt_tokens + again.usage.completion_tokens);
    assert.ok(again.usage.prompt_tokens_details.cached_tokens > 0, "the same prompt again is cached");
    const fresh = await chat({ ...question, cache_prompt: false });
    assert.equal(fresh.usage.prompt_tokens_details.cached_tokens, 0);
    assert.equal(fresh.choices[0].message.content, again.choices[0].message.content);
  });

  test("a seed repeats, another seed differs", async () => {
    // From the cache or not: a token's result does not depend on what is computed with it.
    const request = { messages: [{ role: "user", content: "Tell me a story." }], temperature: 1, max_tokens: 24 };
    const text = async (seed) => (await chat({ ...request, seed })).choices[0].message.content;
    const [a, b, c] = [await text(1), await text(1), await text(2)];
    assert.equal(a, b);
    assert.notEqual(a, c);
    const unseeded = [await chat(request), await chat(request)].map((result) => result.choices[0].message.content);
    assert.notEqual(unseeded[0], unseeded[1], "without a seed two answers should differ");
  });

  test("characters of several tokens come whole in a stream", async () => {
    const prompt = "Flags and faces: 👩‍👩‍👧 🇫🇷 é 漢字 👍🏽 👩‍👩‍👧 🇫🇷 é 漢字 👍🏽 👩‍👩‍👧 🇫🇷";
    const request = { prompt, max_tokens: 40, temperature: 0, cache_prompt: false };
    const chunks = await page.evaluate((request) => collect(lm.completions.create({ ...request, stream: true })), request);
    const pieces = chunks.map((chunk) => chunk.choices[0]?.text ?? "");
    const whole = (await complete(request)).choices[0].text;
    assert.equal(pieces.join(""), whole);
    for (const piece of pieces) assert.ok(!/[\ud800-\udbff]$|^[\udc00-\udfff]/.test(piece), JSON.stringify(piece));
  });

  test("two requests at once both end", async () => {
    const texts = await page.evaluate(
      (request) => Promise.all([lm.chat.completions.create(request), lm.chat.completions.create(request)]).then((all) => all.map((one) => one.choices[0].message.content)),
      question,
    );
    assert.equal(texts[0], texts[1]);
  });

  for (const [index, reference] of references().entries()) {
    const sure = leadingSure(reference.margin);
    if (sure > 0) {
      test(`greedy text ${index + 1} equals the reference up to its first close step (${sure} tokens)`, async () => {
        const result = await complete({ prompt: reference.prompt_tokens, max_tokens: sure, temperature: 0, ignore_eos: true });
        const expected = await page.evaluate((ids) => lm.detokenize(ids), reference.tokens.slice(0, sure));
        assert.equal(result.choices[0].text, expected);
      });
    }

    // The free run above ends at the first close call, often at once; given the
    // reference's own text so far, every step with a clear winner can be compared.
    test(`greedy steps ${index + 1} equal the reference wherever it is sure`, async () => {
      const steps = reference.margin.map((margin, at) => ({ margin, at })).filter(({ margin }) => margin >= 0.5);
      const wrong = await page.evaluate(
        async ({ prompt, tokens, steps }) => {
          const wrong = [];
          for (const { at, margin } of steps) {
            const result = await lm.completions.create({ prompt: [...prompt, ...tokens.slice(0, at)], max_tokens: 1, temperature: 0, ignore_eos: true, logprobs: 1 });
            const id = result.choices[0].logprobs.token_ids[0];
            if (id !== tokens[at]) wrong.push({ at, margin, id, expected: tokens[at] });
          }
          return wrong;
        },
        { prompt: reference.prompt_tokens, tokens: reference.tokens, steps },
      );
      assert.deepEqual(wrong, []);
    });
  }

  if (!fixture(...GREEDY)) test("greedy text equals the reference", needs(...GREEDY), () => {});
});

function references() {
  const file = fixture(...GREEDY);
  return file ? readJson(file).exact : [];
}

/** Steps before the first whose two best tokens are close. */
function leadingSure(margins) {
  const close = margins.findIndex((margin) => margin < 0.5);
  return close < 0 ? margins.length : close;
}

function pickCounts({ prompt_tokens, completion_tokens, total_tokens }) {
  return { prompt_tokens, completion_tokens, total_tokens };
}
