// Conversations: kept, found, branched, carried in and out, and never lost.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { answerEnds, ask, askAndWait, assertText, button, lastAnswer, loaded, openLoaded, question, set, tabTo, until } from "./app.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";

describe("conversations", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });
  const list = (page) => page.getByRole("navigation", { name: "Conversations" });
  const menu = async (page, name, item) => {
    await list(page).getByRole("button", { name: `More for ${name}` }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };

  test("are listed, renamed, found by what was said, and deleted", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 24 });
    await askAndWait(page, "Name the capital of France.");
    await button(page, "New chat").click();
    await askAndWait(page, "Why is the sea salty?");
    await menu(page, "Why is the sea salty?", "Rename…");
    await page.getByLabel("Name", { exact: true }).fill("Ozean");
    await page.keyboard.press("Enter");
    await list(page).getByRole("link", { name: "Ozean" }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement.ariaLabel ?? document.activeElement.textContent);
    await until(async () => (await focused()) === "More for Ozean", "the focus is lost with the old list");
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Ozean");

    await page.keyboard.press("Control+K");
    await page.keyboard.type("paris");
    await until(async () => (await list(page).getByRole("link").count()) === 1, "the search finds not one");
    await page.keyboard.press("Enter");
    await until(async () => /Paris/.test(await lastAnswer(page).catch(() => "")), "the conversation found is not shown");
    await page.getByRole("searchbox", { name: "Search conversations" }).fill("");
    await until(async () => (await list(page).getByRole("link").count()) === 2, "the list is not whole again");

    await menu(page, "Ozean", "Delete…");
    await button(page, "Delete").press("Enter");
    await list(page).getByRole("link", { name: "Ozean" }).waitFor({ state: "detached" });
    await until(async () => (await focused()) === "More for Name the capital of France.", "the focus is lost with what was deleted");
    await page.reload();
    await loaded(page);
    assert.match(await lastAnswer(page), /Paris/);
    assert.deepEqual(complaints(page), []);
  });

  test("what is done at once is done to what was chosen, and nothing of it is lost", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 60, Temperature: 0 });
    const articles = page.getByRole("article");
    await askAndWait(page, "Name the capital of Norway.");
    const first = page.url();
    await button(page, "New chat").click();
    await askAndWait(page, "Name the capital of Spain.");
    // In one task of the page: no store and no event of an address is quicker than this reader.
    const act = (...steps) => page.evaluate((steps) => {
      const does = {
        choose: (name) => [...document.querySelectorAll(".talks a")].find((link) => link.textContent === name).click(),
        ask: (text) => {
          const field = document.querySelector("#question");
          field.value = text;
          field.form.requestSubmit();
        },
        drop: (name) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["The secret number is seven."], name));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        },
        press: (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })),
        search: (text) => {
          const field = document.querySelector("input[type=search]");
          Object.assign(field, { value: text }).dispatchEvent(new Event("input"));
          field.focus();
        },
      };
      for (const [what, given] of steps) does[what](given);
    }, steps);

    await act(["choose", "Name the capital of Norway."], ["ask", "Tell me a very long story about the sea."]);
    await until(async () => (await articles.count()) === 4, "the question is not in the conversation that was chosen");
    assert.equal(page.url(), first);
    await answerEnds(page);

    await act(["ask", "Tell me another one."], ["press", "Escape"]);
    await answerEnds(page);
    assert.equal(await articles.count(), 6);
    await assertText(page, "Stopped before the first word.");

    // The answer goes on, and its conversation does not come back by itself.
    await act(["ask", "Tell me a third."], ["choose", "Name the capital of Spain."]);
    await until(async () => (await articles.count()) === 2, "the conversation that was chosen is not shown");
    await page.waitForTimeout(300);
    assert.notEqual(page.url(), first);
    await list(page).getByRole("link", { name: "Name the capital of Norway." }).click();
    await until(async () => (await articles.count()) === 8, "the question that was left is not kept");
    await answerEnds(page);

    await act(["search", "spain"], ["press", "Enter"]);
    await until(async () => (await articles.count()) === 2, "Enter opens what was found before the last letter");

    // What is sent while a file is being read goes with it.
    const transfer = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["The secret word is zebra. ".repeat(20)], "note.txt"));
      return transfer;
    });
    await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
    await act(["ask", "What is the secret word?"]);
    await until(async () => (await articles.count()) === 4, "the question is not sent when the file has been read");
    await articles.nth(2).getByRole("button", { name: /^Show note\.txt/ }).waitFor();
    await answerEnds(page);

    // Where another conversation is chosen before that, or Escape pressed, it stays in the field.
    await page.getByRole("searchbox", { name: "Search conversations" }).fill("");
    await list(page).getByRole("link", { name: "Name the capital of Norway." }).waitFor();
    const read = (name) => page.locator("pl-composer").getByRole("button", { name: new RegExp(`^Show ${name}`) }).waitFor();
    await act(["drop", "one.txt"], ["ask", "What is the secret number?"], ["choose", "Name the capital of Norway."]);
    await until(async () => (await articles.count()) === 8, "the conversation that was chosen is not shown");
    await read("one.txt");
    await act(["drop", "two.txt"], ["ask", "What is the secret number?"], ["press", "Escape"]);
    await read("two.txt");
    await page.waitForTimeout(100);
    assert.equal(await articles.count(), 8, "it was asked all the same");
    assert.equal(await question(page).inputValue(), "What is the secret number?");
    assert.deepEqual(complaints(page), []);
  });

  test("go out as Markdown and JSON, and come in again with all branches", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 16 });
    await askAndWait(page, "Name a colour.");
    await button(page, "Regenerate").last().click();
    await answerEnds(page);
    const saved = async (item) => {
      const download = page.waitForEvent("download");
      await menu(page, "Name a colour.", item);
      return readFile(await (await download).path(), "utf8");
    };
    const markdown = await saved("Export as Markdown");
    assert.match(markdown, /^# Name a colour\.\n\n## You\n\nName a colour\.\n\n## SmolLM2\n\n/);
    const json = await saved("Export as JSON");
    assert.equal(JSON.parse(json).conversations[0].messages.length, 3);

    await menu(page, "Name a colour.", "Delete…");
    await button(page, "Delete").click();
    const chooser = page.waitForEvent("filechooser");
    await button(page, "All conversations").click();
    await page.getByRole("menuitem", { name: "Import…" }).click();
    await (await chooser).setFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(json) });
    await assertText(page, "2 / 2");
    await button(page, "Previous version of this answer").click();
    await assertText(page, "1 / 2");
    assert.deepEqual(complaints(page), []);
  });

  test("branch where a question is changed, and go on along either", async (t) => {
    const page = await openLoaded(site, t);
    await site.profile.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const text = await askAndWait(page, "Name the capital of France.");
    await button(page, "Copy answer").click();
    await until(async () => (await page.evaluate(() => navigator.clipboard.readText())).trim() === text, "the answer is not copied");
    // From the empty field.
    await question(page).press("ArrowUp");
    const field = page.getByRole("textbox", { name: "Your question, to be changed" });
    await field.fill("Name the capital of Italy.");
    await field.press("Enter");
    await until(async () => /Rome/.test(await lastAnswer(page)), "the changed question is not answered");
    await answerEnds(page);
    await button(page, "Previous version of this question").click();
    await until(async () => /Paris/.test(await lastAnswer(page)), "the first branch is not shown");
    await button(page, "Next version of this question").click();
    await until(async () => /Rome/.test(await lastAnswer(page)), "the second branch is not shown");
    await page.reload();
    await loaded(page);
    assert.match(await lastAnswer(page), /Rome/);
    await assertText(page, "2 / 2");
    assert.deepEqual(complaints(page), []);
  });

  test("a page that is killed in the middle of an answer loses at most a second of it, and goes on", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 400 });
    await ask(page, "Tell me a very long story about the sea.");
    await until(async () => (await lastAnswer(page)).length > 300, "no text arrives");
    const second = (await lastAnswer(page)).slice(0, -5);
    await page.waitForTimeout(1000);
    const address = page.url();
    const session = await page.context().newCDPSession(page);
    // It never answers: there is nobody left.
    session.send("Page.crash").catch(() => {});
    await page.waitForEvent("crash");

    const again = await openLoaded(site, t, new URL(address).hash);
    const kept = await lastAnswer(again);
    assert.ok(kept.startsWith(second.slice(0, 200)), kept);
    assert.ok(kept.length >= second.length, `of ${second.length} characters, a second old, ${kept.length} are left`);
    await assertText(again, "The page was closed before this was finished.");
    await button(again, "Continue").click();
    await until(async () => (await lastAnswer(again)).length > kept.length + 40, "it does not go on");
    assert.ok((await lastAnswer(again)).startsWith(kept.slice(0, -10)));
    await button(again, "Stop").click();
    await answerEnds(again);
  });

  test("a text file becomes context, cut to fit, and the cut is shown", async (t) => {
    const page = await openLoaded(site, t);
    const chooser = page.waitForEvent("filechooser");
    await button(page, "Add a text file").click();
    await (await chooser).setFiles([
      { name: "short.txt", mimeType: "text/plain", buffer: Buffer.from("The secret word is zebra.") },
      { name: "long.txt", mimeType: "text/plain", buffer: Buffer.from("The sea is deep and blue. ".repeat(2000)) },
      { name: "picture.png", mimeType: "image/png", buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]) },
    ]);
    await assertText(page, /picture\.png is not a text file/);
    await assertText(page, /^first [\d,]+ of 1[\d,]+ tokens$/);
    await page.getByRole("button", { name: /^Show long\.txt/ }).click();
    await assertText(page, /^Cut here: the other [\d,]+ tokens/);
    await button(page, "Close").click();
    await button(page, "Remove long.txt").click();
    assert.match(await askAndWait(page, "What is the secret word?"), /zebra/i);
    await page.reload();
    await loaded(page);
    await page.getByRole("button", { name: /^Show short\.txt/ }).waitFor();
    assert.deepEqual(complaints(page), []);
  });

  test("what the browser has no room to keep is answered all the same", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 16 });
    // A narrowed quota reaches small writes only after minutes, so they fail as on a full disk.
    await page.evaluate(() => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("The disk is full.", "QuotaExceededError");
      };
    });
    await ask(page, "Name the capital of France.");
    await assertText(page, /no room to keep the conversation/);
    await answerEnds(page);
    assert.match(await lastAnswer(page), /Paris/);
    assert.match(await askAndWait(page, "Name the capital of Italy."), /Rome/);
    assert.equal(await page.getByRole("article").count(), 4);
  });

  test("Markdown, code in colours and formulas, and nothing that runs", async (t) => {
    const page = await openLoaded(site, t);
    const text = [
      "# Title", "", "A **bold** word, <img src=x onerror=alert(1)> and [a link](javascript:alert(1)).", "",
      "```js", "const answer = 42; // why", "```", "", "The root is $\\sqrt{x^2}$, for $5 or $6.", "", "$$\\int_0^1 x\\,dx = \\frac{1}{2}$$", "",
      "| a | b |", "|---|---|", "| 1 | 2 |",
    ].join("\n");
    const file = JSON.stringify({
      format: "pagelm-conversations", version: 1,
      conversations: [{ title: "Marks", leaf: "2", messages: [{ id: "1", parent: null, role: "user", text: "Show all" }, { id: "2", parent: "1", role: "assistant", text }] }],
    });
    const chooser = page.waitForEvent("filechooser");
    await button(page, "All conversations").click();
    await page.getByRole("menuitem", { name: "Import…" }).click();
    await (await chooser).setFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(file) });
    const answer = page.locator(".answer").last();
    await answer.locator(".hljs-keyword").waitFor();
    await until(async () => (await answer.locator("math").count()) === 2, "the formulas are not set");
    await answer.getByRole("heading", { name: "Title" }).waitFor();
    await answer.getByRole("table").waitFor();
    assert.equal(await answer.locator("img, [onerror], a[href^=javascript]").count(), 0);
    assert.match(await answer.innerText(), /for \$5 or \$6/);
    assert.deepEqual(complaints(page), []);
  });

  test("a whole conversation by keyboard alone", async (t) => {
    const page = await openLoaded(site, t);
    await page.keyboard.press("Control+/");
    await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+O");
    await page.keyboard.type("Name the capital of France.");
    await page.keyboard.press("Enter");
    await until(async () => /Paris/.test(await lastAnswer(page).catch(() => "")), "no answer");
    await answerEnds(page);
    await page.keyboard.press("Control+Shift+Enter");
    await assertText(page, "2 / 2");
    await answerEnds(page);
    assert.ok(await question(page).evaluate((field) => field === document.activeElement), "the question has no focus");
    const address = page.url();
    await page.getByRole("link", { name: "Skip to the question" }).focus();
    await page.keyboard.press("Enter");
    assert.ok(await question(page).evaluate((field) => field === document.activeElement), "the question has no focus");
    assert.equal(page.url(), address);
    assert.equal(await page.getByRole("article").count(), 2, "the conversation is left");

    // Back from the question to what can be done with the answer.
    await tabTo(page, button(page, "Previous version of this answer"), "Shift+Tab");
    await page.keyboard.press("Enter");
    await assertText(page, "1 / 2");
    await page.keyboard.press("Control+I");
    await page.getByText("Perplexity").waitFor({ timeout: 20_000 });
    await tabTo(page, page.locator(".token").first());
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.locator(".token").nth(1).evaluate((token) => token === document.activeElement), "the arrow key does not lead to the next token");
    await page.keyboard.press("Escape");
    await page.getByRole("complementary", { name: "Inspect" }).waitFor({ state: "hidden" });
    await page.keyboard.press("Control+Shift+L");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("Name the capital of Italy.");
    await page.keyboard.press("Enter");
    await until(async () => /Rome/.test(await lastAnswer(page).catch(() => "")), "the changed question is not answered");
    await answerEnds(page);
    await page.keyboard.press("Control+,");
    await page.getByRole("dialog", { name: "Settings" }).waitFor();
    await page.keyboard.press("Escape");
    await tabTo(page, button(page, "More"), "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Escape");

    await page.keyboard.press("Control+B");
    await list(page).waitFor({ state: "hidden" });
    await page.keyboard.press("Control+B");
    await list(page).waitFor();
    assert.deepEqual(complaints(page), []);
  });
});
