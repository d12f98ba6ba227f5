// How the app looks: screenshots of every main state at three widths, light and
// dark, into tests/screenshots for people to look at; and what can be checked of
// it: axe-core's rules, nothing wider than the page, no shift of the layout.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { before, describe, test } from "node:test";
import { LOADED, askAndWait, button, loaded, modelButton, ready, set, until } from "./app.mjs";
import { PROJECT, REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite, warnings } from "./harness.mjs";
import * as routes from "./routes.mjs";

const FOLDER = path.join(PROJECT, "tests/screenshots");
const WIDTHS = [[360, 740], [768, 1024], [1440, 900]];
const SCHEMES = ["light", "dark"];
const AXE = readFileSync(path.join(PROJECT, "tests/node_modules/axe-core/axe.min.js"), "utf8");
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

describe("looks", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });
  before(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER);
  });

  /** Screenshots of a state, and the checks that can be made of it. */
  const look = async (page, name, { axe = true } = {}) => {
    for (const [width, height] of WIDTHS) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.waitForTimeout(60);
        await page.screenshot({ path: path.join(FOLDER, `${name}-${width}-${colorScheme}.png`) });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        if (wide) (page.violations ??= []).push(`${name} scrolls sideways at ${width}`);
        if (axe && width !== 768) await check(page, `${name} at ${width}, ${colorScheme}`);
      }
    }
  };

  test("the component gallery, both ways", async (t) => {
    const page = await site.open(t, "gallery.html");
    await page.locator("[data-ready]").waitFor();
    await until(async () => (await page.locator("math").count()) === 4, "the formulas are not set");
    for (const [width, height] of WIDTHS) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.screenshot({ path: path.join(FOLDER, `gallery-${width}-${colorScheme}.png`), fullPage: true });
        await check(page, `the gallery at ${width}, ${colorScheme}`);
      }
    }
    await page.goto(site.server.url("gallery.html?dir=rtl"));
    await page.locator("[data-ready]").waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways from right to left");
    await page.screenshot({ path: path.join(FOLDER, "gallery-rtl-360-light.png"), fullPage: true });
    assertClean(page);
  });

  test("the first visit: quick, and nothing moves", async (t) => {
    const page = await site.open(t, "");
    await button(page, "Download 98.4 MB").waitFor();
    await page.waitForTimeout(300);
    const { paint, shift, moved } = await page.evaluate(measured);
    assert.ok(paint > 0 && paint < 1000, `first contentful paint after ${paint} ms`);
    assert.equal(shift, 0, `the layout shifted: ${moved}`);
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
    await button(page, "Download 98.4 MB").click();
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
    await button(page, "More").click();
    await look(page, "menu");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 360, height: 740 });
    await page.locator("#menu").click();
    await page.emulateMedia({ colorScheme: "light" });
    await page.screenshot({ path: path.join(FOLDER, "drawer-360-light.png") });
    await check(page, "the drawer");
    await page.keyboard.press("Escape");
    assertClean(page);
  });

  test("an error, and the views of Inspect", async (t) => {
    const page = await site.open(t, "?model=models%2Fnone.gguf");
    await button(page, "Download").click();
    await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
    await look(page, "error");
    await page.goto(site.server.url(""));
    await loaded(page);
    await page.setViewportSize({ width: 1440, height: 900 });
    await set(page, { "Longest answer, in tokens": 60 });
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
      await look(page, `inspect-${name.toLowerCase()}`);
    }
    // The first address leads nowhere: that is what was looked at.
    page.complaints.length = 0;
    assertClean(page);
  });
});

/** Notes what violates axe-core's rules. */
async function check(page, what) {
  page.violations ??= [];
  // Evaluated by the debugger: the page's own policy lets no script in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, nodes } of violations) {
    for (const { html, failureSummary } of nodes) page.violations.push(`${what}: ${id}: ${html.slice(0, 160)} ${failureSummary.split("\n")[1] ?? ""}`);
  }
}

/** Nothing that axe-core, the console or a width complains about: all of it at once, as it is mended. */
function assertClean(page) {
  assert.deepEqual([...page.violations, ...complaints(page), ...warnings(page)], []);
}

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
