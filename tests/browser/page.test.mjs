// The chat page end to end, by role and label, as a visitor uses it: once with
// isolation headers at the root, once from a plain server below a path.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REAL_MODEL } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const SITES = [
  { title: "with isolation headers", options: { isolated: true }, binary: "threads" },
  { title: "on a plain server below a path", options: { isolated: false, prefix: "/~someone/chat/" }, binary: "relaxed" },
];
const QUESTION = "Name the capital of France.";
const LOADED = { timeout: 60_000 };

for (const { title, options, binary } of SITES) {
  describe(title, needsRealModel(), async () => {
    const site = await openSite({ ...options, onDisk: true });
    const { server } = site;
    const downloads = () => server.requests(REAL_MODEL).filter(({ method }) => method === "GET").length;
    const openLoaded = async (t) => {
      const page = await site.open(t, "");
      await question(page).waitFor(LOADED);
      return page;
    };

    test("asks before the download, then answers", async (t) => {
      const page = await site.open(t, "");
      const consent = page.getByRole("button", { name: "Download 98.4 MB" });
      await consent.waitFor();
      await assertText(page, "SmolLM2-135M-Instruct");
      await assertText(page, new RegExp(new URL(server.origin).host));
      assert.equal(downloads(), 0, "the download began without consent");

      await consent.click();
      await page.getByRole("progressbar").waitFor();
      await assertText(page, /MB of 98\.4 MB/);
      await question(page).waitFor(LOADED);
      assert.equal(downloads(), 1);
      assert.equal(await page.evaluate(() => crossOriginIsolated), options.isolated);
      assert.ok(await question(page).evaluate((field) => field === document.activeElement), "the question has no focus");

      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
      await assertText(page, /Prefill [\d,.]+ tok\/s/);
      await assertText(page, /Decode [\d,.]+ tok\/s/);
      await page.getByRole("button", { name: "Settings" }).click();
      await page.getByRole("definition").filter({ hasText: new RegExp(`^${binary}$`) }).waitFor();
      assert.deepEqual(complaints(page), []);
    });

    test("answers on a second visit with the model gone from the server", async (t) => {
      const before = downloads();
      server.remove(REAL_MODEL);
      t.after(() => server.unroute(REAL_MODEL));
      const page = await openLoaded(t);
      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
      assert.equal(downloads(), before, "the model was asked for again");
      assert.deepEqual(complaints(page), []);
    });

    test("stops by button and by Escape, regenerates, begins a new chat", async (t) => {
      const page = await openLoaded(t);
      await ask(page, "Tell me a very long story about the sea.");
      await until(async () => (await lastAnswer(page)).length > 20, "no text arrives");
      await page.getByRole("button", { name: "Stop" }).click();
      await answerEnds(page);
      const stopped = await lastAnswer(page);
      assert.ok(stopped.length > 20);
      await page.waitForTimeout(300);
      assert.equal(await lastAnswer(page), stopped, "text arrives after stop");

      await page.getByRole("button", { name: "Regenerate" }).click();
      await until(async () => (await lastAnswer(page)).length > 20, "no text arrives");
      await page.keyboard.press("Escape");
      await answerEnds(page);

      await page.getByRole("button", { name: "New chat" }).click();
      await until(async () => (await page.getByRole("article").count()) === 0, "the conversation is still there");
      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
      assert.deepEqual(complaints(page), []);
    });

    test("settings reach the model, and stay", async (t) => {
      const page = await openLoaded(t);
      const longest = page.getByLabel("Longest answer, in tokens");
      await page.getByRole("button", { name: "Settings" }).click();
      await longest.fill("5");
      await page.getByLabel("System prompt").fill("You answer in capitals.");
      await page.getByRole("button", { name: "Done" }).click();
      await ask(page, "Tell me a long story.");
      await answerEnds(page);
      await assertText(page, /Cut off after 5 tokens/);
      await page.reload();
      await question(page).waitFor(LOADED);
      await page.getByRole("button", { name: "Settings" }).click();
      assert.equal(await longest.inputValue(), "5");
      await page.getByRole("button", { name: "Reset" }).click();
      assert.notEqual(await longest.inputValue(), "5");
      assert.deepEqual(complaints(page), []);
    });

    test("an address that leads to no model ends in a sentence and a way on", async (t) => {
      const address = server.route("models/page.gguf", routes.htmlPage());
      const page = await site.open(t, `?model=${encodeURIComponent(address)}`);
      await page.getByRole("button", { name: /^Download/ }).click();
      await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
      await assertText(page, "html_instead_of_model");
      await page.getByRole("button", { name: "Choose another model" }).click();
      await page.getByRole("dialog").getByRole("link", { name: /SmolLM2/ }).click();
      await question(page).waitFor(LOADED);
    });

    test("fits 360 px, in light and dark", async (t) => {
      const page = await openLoaded(t);
      await page.setViewportSize({ width: 360, height: 640 });
      const colours = [];
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways");
        colours.push(await page.evaluate(() => getComputedStyle(document.body).color));
      }
      assert.notEqual(colours[0], colours[1]);
    });

    test("a damaged stored copy is named, and repaired by a button", async (t) => {
      const helper = await site.open(t, "helpers.html");
      await ready(helper);
      await helper.evaluate(async () => {
        const records = (await storedRecords()).filter(({ length }) => length > 2 ** 19);
        await damage(records[1], "flip a bit");
      });
      const before = downloads();
      const page = await site.open(t, "");
      await assertText(page, "storage_corrupt", LOADED);
      await page.getByRole("button", { name: "Delete the stored copy and download again" }).click();
      await question(page).waitFor(LOADED);
      assert.equal(downloads(), before + 1);
      await ask(page, QUESTION);
      await answerEnds(page);
      assert.match(await lastAnswer(page), /Paris/);
    });
  });
}

function question(page) {
  return page.getByRole("textbox", { name: "Your question" });
}

/** A short answer may be over before one could see the stop button: the question's place in the talk is the sign. */
async function ask(page, text) {
  const articles = page.getByRole("article");
  const before = await articles.count();
  await question(page).fill(text);
  await question(page).press("Enter");
  await until(async () => (await articles.count()) > before, "the question does not appear");
}

/** The text of the newest answer, without the line about its speed. */
async function lastAnswer(page) {
  return (await page.getByRole("article").last().locator(".answer").innerText()).trim();
}

async function answerEnds(page) {
  await page.getByRole("button", { name: "Send" }).waitFor({ timeout: 60_000 });
}

async function assertText(page, text, options = { timeout: 5_000 }) {
  const place = page.getByText(text).first();
  await place.waitFor(options).catch(() => assert.fail(`the page does not say ${text}`));
}

async function until(condition, message) {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(message);
}
