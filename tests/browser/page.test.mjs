// The chat page end to end, by role and label, as a visitor uses it: once with
// isolation headers at the root, once from a plain server below a path.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REAL_MODEL } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";

const SITES = [
  { title: "with isolation headers", options: { isolated: true }, variant: /threads/i },
  { title: "on a plain server below a path", options: { isolated: false, prefix: "/~someone/chat/" }, variant: /relaxed|simd/i },
];
const QUESTION = "What is the capital of France? Answer in one sentence.";

for (const { title, options, variant } of SITES) {
  describe(title, needsRealModel(), async () => {
    const site = await openSite({ ...options, onDisk: true });
    const { server } = site;

    test("asks before the download, then answers", async (t) => {
      const page = await site.open(t, "");
      const consent = page.getByRole("button", { name: /download/i });
      await consent.waitFor();
      await assertText(page, /SmolLM2/);
      await assertText(page, /\b9[48](\.\d)? ?M(i?)B\b/);
      await assertText(page, new RegExp(new URL(server.origin).hostname.replaceAll(".", "\\.")));
      assert.equal(server.count(REAL_MODEL), 0, "the download began without consent");

      await consent.click();
      await page.getByRole("progressbar").first().waitFor();
      await messageBox(page).waitFor({ timeout: 60_000 });
      assert.equal(await page.evaluate(() => crossOriginIsolated), options.isolated);
      await assertText(page, variant);

      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
      await assertText(page, /tok(ens)?\/s/i);
      assert.deepEqual(complaints(page), []);
    });

    test("answers on a second visit with the model gone from the server", async (t) => {
      const before = server.count(REAL_MODEL);
      server.remove(REAL_MODEL);
      t.after(() => server.unroute(REAL_MODEL));
      const page = await site.open(t, "");
      await messageBox(page).waitFor({ timeout: 60_000 });
      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
      assert.equal(server.count(REAL_MODEL), before, "the model was asked for again");
      assert.deepEqual(complaints(page), []);
    });

    test("stops, regenerates and clears", async (t) => {
      const page = await site.open(t, "");
      await messageBox(page).waitFor({ timeout: 60_000 });
      await ask(page, "Tell me a very long story about the sea.");
      const stop = page.getByRole("button", { name: /stop/i });
      await stop.waitFor();
      await until(async () => (await lastAnswer(page)).length > 20, "no text arrives");
      await stop.click();
      await answerEnds(page);
      const stopped = await lastAnswer(page);
      await page.waitForTimeout(300);
      assert.equal(await lastAnswer(page), stopped, "text arrives after stop");

      await page.getByRole("button", { name: /regenerate/i }).last().click();
      await stop.waitFor();
      await stop.click();
      await answerEnds(page);

      await page.getByRole("button", { name: /clear/i }).click();
      await until(async () => (await answers(page).count()) === 0, "the answer is still there");
      assert.deepEqual(complaints(page), []);
    });

    test("settings reach the model, and stay", async (t) => {
      const page = await site.open(t, "");
      await messageBox(page).waitFor({ timeout: 60_000 });
      await openSettings(page);
      await page.getByLabel(/max(imum)? tokens/i).fill("5");
      await page.getByLabel(/temperature/i).fill("0");
      await page.keyboard.press("Escape");
      await ask(page, "Tell me a long story.");
      await answerEnds(page);
      const words = (await lastAnswer(page)).split(/\s+/).length;
      assert.ok(words <= 6, `${words} words for 5 tokens`);
      await page.reload();
      await messageBox(page).waitFor({ timeout: 60_000 });
      await openSettings(page);
      assert.equal(await page.getByLabel(/max(imum)? tokens/i).inputValue(), "5");
      assert.deepEqual(complaints(page), []);
    });

    test("fits 360 px, in light and dark", async (t) => {
      const page = await site.open(t, "");
      await messageBox(page).waitFor({ timeout: 60_000 });
      await page.setViewportSize({ width: 360, height: 640 });
      const backgrounds = [];
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways");
        backgrounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      }
      assert.notEqual(backgrounds[0], backgrounds[1]);
    });
  });
}

function messageBox(page) {
  return page.getByRole("textbox", { name: /message/i });
}

async function ask(page, text) {
  await messageBox(page).fill(text);
  await page.keyboard.press("Enter");
}

/** The answers in the conversation, which assistive technology reads as a log. */
function answers(page) {
  return page.getByRole("log").getByRole("article", { name: /assistant|SmolLM2|answer/i });
}

async function lastAnswer(page) {
  const all = answers(page);
  return (await all.count()) === 0 ? "" : (await all.last().innerText()).trim();
}

async function answerEnds(page) {
  await page.getByRole("button", { name: /stop/i }).waitFor({ state: "hidden", timeout: 60_000 });
}

async function openSettings(page) {
  await page.getByRole("button", { name: /settings/i }).click();
}

async function assertText(page, pattern) {
  await page.getByText(pattern).first().waitFor({ timeout: 5_000 }).catch(() => assert.fail(`the page says nothing like ${pattern}`));
}

async function until(condition, message) {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(message);
}
