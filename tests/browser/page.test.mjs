// The chat app end to end, by role and label, as a visitor uses it: once with
// isolation headers at the root, once from a plain server below a path, where
// the service worker isolates the page, and once without service workers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOADED, QUESTION, answerEnds, ask, askAndWait, assertText, button, lastAnswer, loaded, openLoaded, question, ready, set, tabTo, until } from "./app.mjs";
import { REAL_MODEL } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite, warnings } from "./harness.mjs";

const SITES = [
  { title: "with isolation headers", options: { isolated: true }, binary: "threads", loads: 1 },
  { title: "on a plain server below a path", options: { isolated: false, prefix: "/~someone/chat/" }, binary: "threads", loads: 2 },
  { title: "without service workers", options: { isolated: false, contextOptions: { serviceWorkers: "block" } }, binary: "relaxed", loads: 1 },
];

for (const { title, options, binary, loads } of SITES) {
  describe(title, needsRealModel(), async () => {
    const site = await openSite({ ...options, onDisk: true });
    const { server } = site;
    const downloads = () => server.requests(REAL_MODEL).filter(({ method }) => method === "GET").length;

    test("asks before the download, then answers", async (t) => {
      const foreign = [];
      const note = (request) => {
        const { protocol, origin } = new URL(request.url());
        if (/^http/.test(protocol) && origin !== server.origin) foreign.push(request.url());
      };
      site.profile.context.on("request", note);
      t.after(() => site.profile.context.off("request", note));
      const page = await site.open(t, "");
      const consent = button(page, "Download 98.4 MB");
      await consent.waitFor();
      await assertText(page, "SmolLM2-135M-Instruct");
      await assertText(page, new RegExp(new URL(server.origin).host));
      assert.equal(downloads(), 0, "the download began without consent");
      const documents = server.requests("").filter(({ method }) => method === "GET").length;
      assert.ok(documents <= loads, `the page was loaded ${documents} times`);

      // By keyboard alone.
      await tabTo(page, consent);
      await page.keyboard.press("Enter");
      await page.getByRole("progressbar").waitFor();
      await assertText(page, /MB of 98\.4 MB/);
      await ready(page).waitFor(LOADED);
      assert.equal(downloads(), 1);
      assert.equal(await page.evaluate(() => crossOriginIsolated), binary === "threads");
      assert.ok(await question(page).evaluate((field) => field === document.activeElement), "the question has no focus");

      assert.match(await askAndWait(page, QUESTION), /Paris/);
      await assertText(page, /Prefill [\d,.]+ tok\/s/);
      await assertText(page, /Decode [\d,.]+ tok\/s/);
      await assertText(page, /[1-9]\d* \/ 4,096 tokens/);
      assert.deepEqual(foreign, [], "something was asked of another origin");
      await button(page, "Settings").click();
      await page.getByRole("definition").filter({ hasText: new RegExp(`^${binary}$`) }).waitFor();
      if (binary !== "threads") await assertText(page, /1: this page is not isolated/);
      // That no service worker is allowed is the point, and Playwright says so.
      assert.deepEqual([...complaints(page), ...warnings(page)].filter((line) => !/blocked by Playwright/.test(line)), []);
    });

    test("answers on a second visit with the model gone from the server", async (t) => {
      const before = downloads();
      server.remove(REAL_MODEL);
      t.after(() => server.unroute(REAL_MODEL));
      const page = await openLoaded(site, t);
      assert.match(await askAndWait(page, QUESTION), /Paris/);
      assert.equal(downloads(), before, "the model was asked for again");
      assert.deepEqual(complaints(page), []);
    });

    if (!options.isolated) return;

    test("stops by button and by Escape, regenerates, begins a new chat", async (t) => {
      const page = await openLoaded(site, t);
      await ask(page, "Tell me a very long story about the sea.");
      await until(async () => (await lastAnswer(page)).length > 20, "no text arrives");
      await button(page, "Stop").click();
      await answerEnds(page);
      const stopped = await lastAnswer(page);
      assert.ok(stopped.length > 20);
      await page.waitForTimeout(300);
      assert.equal(await lastAnswer(page), stopped, "text arrives after stop");

      await button(page, "Regenerate").last().click();
      await until(async () => (await lastAnswer(page)).length > 20, "no text arrives");
      await page.keyboard.press("Escape");
      await answerEnds(page);
      await assertText(page, "2 / 2");

      await button(page, "New chat").click();
      await until(async () => (await page.getByRole("article").count()) === 0, "the conversation is still there");
      assert.match(await askAndWait(page, QUESTION), /Paris/);
      assert.deepEqual(complaints(page), []);
    });

    test("settings reach the model, and stay with the conversation", async (t) => {
      const page = await openLoaded(site, t);
      await set(page, { "Longest answer, in tokens": 5, "System prompt": "You answer in capitals." });
      await askAndWait(page, "Tell me a long story.");
      await assertText(page, /Cut off after 5 tokens/);
      await page.reload();
      await loaded(page);
      await button(page, "Settings").click();
      const longest = page.getByLabel("Longest answer, in tokens");
      await longest.waitFor();
      assert.equal(await longest.inputValue(), "5");
      await assertText(page, /is told: “You are a helpful assistant\.”$/);

      await page.getByLabel("Preset").selectOption("Short answers");
      assert.match(await page.getByLabel("System prompt").inputValue(), /three sentences/);
      await page.getByLabel("System prompt").fill("You are a pirate.");
      await button(page, "Keep as preset").click();
      await page.getByLabel("Name of the preset").fill("Pirate");
      await button(page, "Save").click();
      await until(async () => (await page.getByLabel("Preset").locator("option:checked").innerText()) === "Pirate", "the preset is not kept");
      await button(page, "Delete preset").click();
      await button(page, "Reset").click();
      assert.notEqual(await longest.inputValue(), "5");
      await page.getByRole("combobox", { name: "Theme" }).selectOption("Dark");
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).colorScheme), "dark");
      await page.getByRole("combobox", { name: "Theme" }).selectOption("As the device");
      assert.deepEqual(complaints(page), []);
    });

    test("after an address that is none another model can be chosen", async (t) => {
      const page = await site.open(t, `?model=${encodeURIComponent("http://")}`);
      await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
      await assertText(page, "bad_address");
      await button(page, "Choose another model").click();
      await page.getByRole("dialog").getByRole("button", { name: "Use SmolLM2-135M-Instruct" }).click();
      await ready(page).waitFor(LOADED);
      assert.deepEqual(complaints(page), []);
    });
  });
}
