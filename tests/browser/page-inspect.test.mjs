// Inspect: its numbers are the engine's, and what it offers can be done.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { sampled } from "../../www/lib/distribution.js";
import { answerEnds, askAndWait, assertText, button, lastAnswer, openLoaded, set, until } from "./app.mjs";
import { DOCROOT } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite, ready as helpersReady } from "./harness.mjs";

const QUESTION = "Explain to a ten-year-old why the sky is blue.";
const TOLERANCE = 1e-4;

describe("Inspect", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });

  test("shows tokens, probabilities and losses as lm.score() and lm.render() tell them", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 40, Temperature: 0 });
    const text = await askAndWait(page, QUESTION);
    await button(page, "Inspect").last().click();
    await page.getByText("Perplexity").waitFor({ timeout: 20_000 });
    const shown = await page.locator(".token").evaluateAll((all) => all.map((each) => ({ id: Number(each.title), label: each.getAttribute("aria-label") })));
    const helper = await site.open(t, "helpers.html");
    await helpersReady(helper);
    const expected = await helper.evaluate(async ({ url, question, text }) => {
      await load(url);
      const [{ system }] = (await (await fetch("models.json")).json()).models;
      const { tokens } = await lm.render([{ role: "system", content: system }, { role: "user", content: question }]);
      const answer = await lm.tokenize(text);
      const { logprobs } = await lm.score([...tokens, ...answer]);
      return { tokens, answer, logprobs: logprobs.slice(tokens.length) };
    }, { url: site.realModel, question: QUESTION, text });
    // The answer stands first, then the prompt.
    assert.deepEqual(shown.map(({ id }) => id), [...expected.answer, ...expected.tokens]);
    const mean = -expected.logprobs.reduce((sum, value) => sum + value, 0) / expected.logprobs.length;
    const figures = await page.locator(".figures").innerText();
    const [, loss] = /Mean loss\s+([\d.]+)/.exec(figures);
    assert.ok(Math.abs(Number(loss) - mean) < 1e-3, `${loss} is shown, ${mean} is right`);

    // Token by token: by arrow keys, with the surprise to four digits.
    await page.locator(".token").first().focus();
    for (const logprob of expected.logprobs.slice(0, 12)) {
      const [, surprise] = /−ln P = ([\d.-]+)/.exec(await page.locator(".token-detail").innerText());
      assert.ok(Math.abs(Number(surprise) + logprob) < TOLERANCE, `${surprise} is shown, ${-logprob} is right`);
      await page.keyboard.press("ArrowRight");
    }
    assert.deepEqual(complaints(page), []);
  });

  test("goes on from another token, on a branch of its own", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 24, Temperature: 0 });
    const text = await askAndWait(page, "Name the capital of France.");
    await button(page, "Inspect").last().click();
    await page.locator(".token").nth(2).click();
    const other = page.getByRole("button", { name: /^Go on with/ }).first();
    const name = await other.locator("code").textContent();
    await other.click();
    await assertText(page, "2 / 2");
    await answerEnds(page);
    const branch = await lastAnswer(page);
    assert.notEqual(branch, text);
    assert.ok(branch.includes(name.trim()), `“${name}” is not in “${branch}”`);
    assert.equal(branch.slice(0, 3), text.slice(0, 3));
  });

  test("the pairs of a sentence are those of training", async (t) => {
    const page = await openLoaded(site, t);
    const sentence = "The capital of France is Paris.";
    await page.keyboard.press("Control+I");
    await page.getByRole("tab", { name: "Training" }).click();
    await page.getByLabel("A sentence").fill(sentence);
    await button(page, "Show its pairs").click();
    await assertText(page, /mean loss/);
    const rows = await page.locator(".pairs tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
    const helper = await site.open(t, "helpers.html");
    await helpersReady(helper);
    const score = await helper.evaluate(async ({ url, sentence }) => {
      await load(url);
      return lm.score(sentence);
    }, { url: site.realModel, sentence });
    assert.equal(rows.length, score.tokens.length - 1);
    rows.forEach((cells, i) => assert.ok(Math.abs(Number(cells[3]) + score.logprobs[i + 1]) < TOLERANCE, `${cells} ${score.logprobs[i + 1]}`));
    const [, nll] = /mean loss ([\d.]+)/.exec(await page.getByText(/mean loss/).innerText());
    assert.ok(Math.abs(Number(nll) - score.nll) < TOLERANCE);
  });

  test("the choice after sampling is the one that the engine draws from", async (t) => {
    const page = await site.blank(t);
    const { candidates, vocabulary, drawn } = await page.evaluate(async (url) => {
      await load(url);
      const prompt = "Once upon a time there was a";
      const ask = (fields) => lm.completions.create({ prompt, max_tokens: 1, logprobs: 0, ...fields });
      const { choices } = await ask({ logprobs: 1000, temperature: 0 });
      const drawn = [];
      for (let seed = 0; seed < 400; seed++) drawn.push((await ask({ temperature: 1.5, top_k: 6, top_p: 0.95, min_p: 0.1, seed })).choices[0].logprobs.token_ids[0]);
      return { candidates: choices[0].logprobs.top_token_ids[0].map(([id, logprob]) => ({ id, logprob })), vocabulary: lm.info.vocabulary, drawn };
    }, site.realModel);
    const { kept, probabilities } = sampled(candidates, { temperature: 1.5, top_k: 6, top_p: 0.95, min_p: 0.1 }, vocabulary);
    assert.ok(Math.abs(probabilities.reduce((sum, value) => sum + value) - 1) < 1e-9);
    const possible = new Set(candidates.slice(0, kept).map(({ id }) => id));
    assert.ok(drawn.every((id) => possible.has(id)), "the engine drew what should be cut off");
    for (let i = 0; i < kept; i++) {
      const share = drawn.filter((id) => id === candidates[i].id).length / drawn.length;
      // Four standard deviations of 400 draws.
      assert.ok(Math.abs(share - probabilities[i]) < 4 * Math.sqrt((probabilities[i] * (1 - probabilities[i])) / 400) + 1e-3, `token ${i}: ${share} of the draws, ${probabilities[i]} expected`);
    }
  });

  test("sliders move the distribution, time and memory have their figures, two settings stand side by side", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 24 });
    await askAndWait(page, "Name the capital of France.");
    await button(page, "Inspect").last().click();
    await page.getByText("Perplexity").waitFor({ timeout: 20_000 });
    await button(page, "See this choice").click();
    const table = page.getByRole("table", { name: /^The most probable tokens/ });
    await table.getByRole("row").nth(3).waitFor();
    const panel = page.getByRole("tabpanel", { name: "Choice" });
    await panel.getByLabel("Temperature").fill("1");
    await panel.getByLabel("Top-k").fill("1");
    await assertText(panel, "1 token stays in the choice.");
    await panel.getByLabel("Top-k").fill("5");
    await panel.getByLabel("Top-p").fill("1");
    await panel.getByLabel("Min-p").fill("0");
    await assertText(panel, "5 tokens stay in the choice.");

    await page.getByRole("tab", { name: "Time" }).click();
    await assertText(page, /^Prefill: [\d,]+ tokens, many at once/);
    await page.getByRole("tab", { name: "Memory" }).click();
    // 2 × 30 layers × 3 heads × 64 numbers × 2 bytes
    await assertText(page, /^23,040 bytes = 2 × 30 layers × 3 heads × 64 numbers in f16$/);
    await assertText(page, /^94,371,840 bytes: allocated once/);
    // As the gate tells it; where the CPU takes bytes, without the sums of the head's Q8_0: 2 bytes for 32 weights.
    const told = JSON.parse(readFileSync(path.join(DOCROOT, "models.json"), "utf8")).models[0].memory / 1e6;
    const sums = (49_152 * 576 * 2) / 32 / 1e6;
    const shown = await page.locator(".facts div", { hasText: "In all" }).locator("dd").innerText();
    const [, found] = /^([\d.]+) MB of memory$/.exec(shown);
    assert.ok([told, told - sums].some((figure) => Math.abs(found - figure) < 0.1), shown);

    await page.getByRole("tab", { name: "Compare" }).click();
    await button(page, "Answer twice").click();
    await assertText(page, "Done.", { timeout: 30_000 });
    for (const name of ["Answer A", "Answer B"]) assert.ok((await page.getByRole("region", { name }).innerText()).length > 5, name);
    await page.keyboard.press("Escape");
    await until(async () => !(await page.locator("#panel").isVisible()), "the panel stays");
    assert.deepEqual(complaints(page), []);
  });
});
