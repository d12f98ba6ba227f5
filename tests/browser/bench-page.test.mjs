// The measuring page end to end, with prompts and answers of 32 tokens: what it
// asks, shows and says, not how fast anything is.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REAL_MODEL } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";

const SHORT = "bench.html?tokens=32";
const DONE = { timeout: 60_000 };
const RATE = String.raw`[\d,.]+`;

describe("with isolation headers", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });
  const downloads = () => site.server.requests(REAL_MODEL).filter(({ method }) => method === "GET").length;

  test("asks, measures on one thread and on several, shows a picture and a text", async (t) => {
    const page = await site.open(t, SHORT);
    await site.profile.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const consent = page.getByRole("button", { name: "Download 98.4 MB" });
    await consent.waitFor();
    assert.equal(downloads(), 0, "the download began without consent");

    // By keyboard alone, and the focus goes along with the views.
    await consent.press("Enter");
    await result(page).waitFor(DONE);
    assert.ok(await result(page).evaluate((title) => title === document.activeElement), "the focus was lost");
    assert.equal(downloads(), 1);

    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    const bars = await page.getByRole("img").getAttribute("aria-label");
    const text = await page.locator("pre").innerText();
    for (const words of [bars, text]) {
      assert.match(words, /Prefill of 32 tokens/);
      assert.match(words, /Decode at short context/);
      assert.match(words, /Decode after 32 tokens/);
      assert.match(words, new RegExp(`1 thread:? ${RATE}`));
      if (cores > 1) assert.match(words, new RegExp(`${Math.min(cores, 16)} threads:? ${RATE}`));
    }
    assert.match(text, /Load from storage: [\d.]+ s/);
    assert.equal(await page.locator("svg rect").count(), 3 * new Set([1, Math.min(cores, 4), Math.min(cores, 16)]).size);

    await page.getByRole("button", { name: "Copy the result as text" }).click();
    await page.getByText("Copied", { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
    await fits(page);
    assert.deepEqual(complaints(page), []);
  });

  test("a measurement can be cancelled, and the model stays stored", async (t) => {
    const page = await site.open(t, "bench.html?tokens=400");
    const begin = page.getByRole("button", { name: "Measure", exact: true });
    await begin.click();
    await page.getByRole("heading", { name: "Measuring" }).waitFor(DONE);
    await page.getByRole("button", { name: "Cancel" }).click();
    await begin.waitFor();
    await fits(page);
    assert.equal(downloads(), 1, "the model was fetched again");
    assert.deepEqual(complaints(page), []);
  });
});

test("from a plain server it measures one thread, and says why", needsRealModel(), async (t) => {
  const site = await openSite({ isolated: false, prefix: "/~someone/chat/" });
  const page = await site.open(t, SHORT);
  await page.getByRole("definition").filter({ hasText: "does not send the headers" }).waitFor();
  await page.getByRole("button", { name: "Download 98.4 MB" }).click();
  await result(page).waitFor(DONE);
  const text = await page.locator("pre").innerText();
  assert.match(text, /1 thread:/);
  assert.doesNotMatch(text, /threads:/);
  assert.deepEqual(complaints(page), []);
});

function result(page) {
  return page.getByRole("heading", { name: "Measured on this device" });
}

async function fits(page) {
  await page.setViewportSize({ width: 360, height: 640 });
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "scrolls sideways");
  }
}
