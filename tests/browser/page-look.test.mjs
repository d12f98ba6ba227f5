// How the app looks in every main state, and what can be checked of it: axe-core's rules, nothing
// wider than the page, no shift of the layout, nothing from elsewhere.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { before, describe, test } from "node:test";
import { LOADED, answerEnds, ask, askAndWait, assertText, button, lastAnswer, loaded, modelButton, ready, set, until } from "./app.mjs";
import { REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import { FOLDER, OVERLAID, SCHEMES, WIDTHS, assertClean, check, look, shot, sized } from "./look.mjs";
import * as routes from "./routes.mjs";

/** A conversation with all that an answer can hold. */
const TALK = {
  format: "pagelm-conversations",
  version: 1,
  conversations: [{
    title: "Sorting",
    leaf: "4",
    messages: [
      { id: "1", parent: null, role: "user", text: "How does quicksort work?" },
      { id: "2", parent: "1", role: "assistant", model: "SmolLM2", text: "It **divides** a list:\n\n1. take a pivot\n2. part the rest\n3. sort both parts\n\n```python\ndef quicksort(items):\n    if len(items) < 2:  # nothing to do\n        return items\n    pivot, *rest = items\n    low = [x for x in rest if x < pivot]\n    return quicksort(low) + [pivot] + quicksort([x for x in rest if x >= pivot])\n```\n\nOn average that takes $O(n \\log n)$ steps, at worst $O(n^2)$." },
      { id: "3", parent: "2", role: "user", text: "Compare it with others.", files: [{ name: "sorting.txt", text: "notes", kept: 300, total: 900 }] },
      { id: "4", parent: "3", role: "assistant", model: "SmolLM2", state: "stopped", text: "| Algorithm | Average | Worst | Stable |\n|---|---|---|---|\n| Quicksort | n log n | n² | no |\n| Merge sort | n log n | n log n | yes |\n\n> Which one is best depends on the data." },
    ],
  }],
};

/** By when the first contentful paint has come, and how often that may be tried. */
const PAINT_MS = 1000;
const VISITS = 3;

describe("looks", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true, args: OVERLAID });
  before(() => rmSync(FOLDER, { recursive: true, force: true }));

  test("the component gallery, both ways", async (t) => {
    const page = await site.open(t, "gallery.html");
    await page.locator("[data-ready]").waitFor();
    await until(async () => (await page.locator("math").count()) === 4, "the formulas are not set");
    await look(page, "gallery", { fullPage: true });
    await page.goto(site.server.url("gallery.html?dir=rtl"));
    await page.locator("[data-ready]").waitFor();
    await sized(page, 360, 740, "light");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways from right to left");
    await shot(page, "gallery-rtl-360-light", true);
    assertClean(page);
  });

  test("the first visit: quick, and nothing moves", async (t) => {
    let page;
    const paints = [];
    do {
      await page?.close();
      page = await site.open(t, "");
      await button(page, "Download 98.4 MB").waitFor();
      await page.waitForTimeout(300);
      const { paint, shift, moved } = await page.evaluate(measured);
      assert.equal(shift, 0, `the layout shifted: ${moved}`);
      paints.push(paint);
      // A machine that does something else may hold up one visit; a page that is slow is so each time.
    } while (paints.at(-1) >= PAINT_MS && paints.length < VISITS);
    t.diagnostic(`first contentful paint after ${paints.map((paint) => paint.toFixed(0)).join(", then ")} ms`);
    assert.ok(paints.at(-1) > 0 && paints.at(-1) < PAINT_MS, `first contentful paint after ${paints} ms`);
    const own = new URL(site.server.origin).origin;
    const asked = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    assert.deepEqual([...new Set(asked)], [own], "something came from elsewhere");
    await look(page, "welcome");

    site.server.route(REAL_MODEL, routes.trickleFile(REAL_MODEL_FILE, { piece: 2 ** 18, ms: 100 }));
    await button(page, "Download 98.4 MB").click();
    await page.getByText(/left$/).waitFor();
    await look(page, "loading");
    site.server.unroute(REAL_MODEL);
    await button(page, "Cancel").click();
    await page.getByRole("button", { name: /^Download/ }).click();
    await ready(page).waitFor(LOADED);
    await look(page, "empty");
    assertClean(page);
  });

  test("a conversation, its dialogs and menus", async (t) => {
    const page = await site.open(t, "");
    await loaded(page);
    const chooser = page.waitForEvent("filechooser");
    await button(page, "All conversations").click();
    await page.getByRole("menuitem", { name: "Import…" }).click();
    await (await chooser).setFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(TALK)) });
    await page.locator(".hljs-keyword").first().waitFor();
    await button(page, "Dismiss").click();
    await look(page, "conversation");
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    await look(page, "conversation-rtl", { axe: false });
    await page.evaluate(() => (document.documentElement.dir = "ltr"));

    for (const [name, opener] of [["settings", button(page, "Settings")], ["models", modelButton(page)]]) {
      await opener.click();
      await page.getByRole("dialog").getByRole("heading", { level: 2 }).waitFor();
      await look(page, name);
      await page.keyboard.press("Escape");
    }
    await page.keyboard.press("Control+/");
    await look(page, "help");
    await page.keyboard.press("Escape");
    for (const [width, height] of WIDTHS) {
      for (const colorScheme of SCHEMES) {
        await sized(page, width, height, colorScheme);
        await button(page, "More").click();
        await shot(page, `menu-${width}-${colorScheme}`);
        await check(page, `the menu at ${width}, ${colorScheme}`);
        await page.keyboard.press("Escape");
      }
    }
    for (const item of ["Rename…", "Delete…"]) {
      await button(page, "More").click();
      await page.getByRole("menuitem", { name: item }).click();
      await look(page, item === "Delete…" ? "delete" : "rename");
      await page.keyboard.press("Escape");
    }
    await page.getByRole("button", { name: /^Show sorting\.txt/ }).click();
    await look(page, "file");
    await page.keyboard.press("Escape");
    await button(page, "Edit").first().click();
    await look(page, "edit");
    await page.keyboard.press("Escape");
    await page.evaluate(() => {
      const models = [["stories15M.Q8_0", 26e6], ["Qwen2.5-0.5B-Instruct-with-a-long-name.Q4_K_M", 398e6]].map(([name, bytes]) => ({ url: `https://example.org/${name}.gguf`, bytes }));
      document.querySelector("pl-room").ask({ needed: 98e6, available: 12e6, models });
    });
    await look(page, "room");
    await page.keyboard.press("Escape");
    for (const colorScheme of SCHEMES) {
      await sized(page, 360, 740, colorScheme);
      await page.locator("#menu").click();
      await shot(page, `drawer-360-${colorScheme}`);
      await check(page, "the drawer");
      await page.keyboard.press("Escape");
    }
    assertClean(page);
  });

  test("an error, and the views of Inspect", async (t) => {
    const page = await site.open(t, "?model=models%2Fnone.gguf");
    await button(page, "Download").click();
    await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
    await look(page, "error");
    await page.goto(site.server.url(""));
    await loaded(page);
    await sized(page, 1440, 900, "light");
    // An answer that goes on for as long as it is looked at.
    await set(page, { "Longest answer, in tokens": 4000, Temperature: 0 });
    await ask(page, "Write a very long story about the sea.");
    await until(async () => (await lastAnswer(page)).length > 40, "no text arrives");
    await look(page, "answering", { axe: false });
    await check(page, "an answer being written");
    await page.keyboard.press("Escape");
    await answerEnds(page);
    await button(page, "New chat").click();
    await set(page, { "Longest answer, in tokens": 60, Temperature: 0.2 });
    await askAndWait(page, "Explain to a ten-year-old why the sky is blue.");
    await button(page, "Inspect").last().click();
    await page.getByText("Perplexity").waitFor({ timeout: 20_000 });
    await look(page, "inspect-tokens");
    for (const name of ["Choice", "Training", "Time", "Memory", "Compare"]) {
      await page.getByRole("tab", { name }).click();
      if (name === "Choice") await page.getByRole("table", { name: /^The most probable tokens/ }).getByRole("row").nth(3).waitFor();
      if (name === "Training") {
        await button(page, "Show its pairs").click();
        await page.getByText(/mean loss/).waitFor();
      }
      if (name === "Compare") {
        await button(page, "Answer twice").click();
        await assertText(page, "Done.", { timeout: 30_000 });
      }
      await look(page, `inspect-${name.toLowerCase()}`);
    }
    // The first address leads nowhere: that is what was looked at.
    page.complaints.length = 0;
    assertClean(page);
  });
});

function measured() {
  const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
  return new Promise((resolve) => {
    new PerformanceObserver((list, observer) => {
      observer.disconnect();
      const shifts = list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput);
      const moved = shifts.flatMap(({ sources }) => sources.map(({ node, previousRect, currentRect }) => `${node?.nodeName}.${node?.className ?? ""} from ${previousRect.y} to ${currentRect.y}`));
      resolve({ paint, shift: shifts.reduce((sum, { value }) => sum + value, 0), moved });
    }).observe({ type: "layout-shift", buffered: true });
    // Where nothing shifted, nothing is reported.
    setTimeout(() => resolve({ paint, shift: 0 }), 300);
  });
}
