// Screenshots of what a page shows, at four widths, light and dark, into tests/screenshots for
// people to look at; and what can be checked of it: axe-core's rules, and that nothing is wider
// than the page.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "./fixtures.mjs";
import { complaints, warnings } from "./harness.mjs";

export const FOLDER = path.join(PROJECT, "tests/screenshots");
export const WIDTHS = [[320, 640], [360, 740], [768, 1024], [1440, 900]];
export const SCHEMES = ["light", "dark"];
const AXE = readFileSync(path.join(PROJECT, "tests/node_modules/axe-core/axe.min.js"), "utf8");

/** Scroll bars that lie over the page, as phones have them: else a strip stays free for them. */
export const OVERLAID = ["--enable-features=OverlayScrollbar"];

/** Screenshots of a state, and the checks that can be made of it. */
export async function look(page, name, { axe = true, fullPage = false } = {}) {
  for (const [width, height] of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      await sized(page, width, height, colorScheme);
      await shot(page, `${name}-${width}-${colorScheme}`, fullPage);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (wide) (page.violations ??= []).push(`${name} scrolls sideways at ${width}`);
      if (axe && width !== 768) await check(page, `${name} at ${width}, ${colorScheme}`);
    }
  }
}

/** The page at this size, once it stands still. */
export async function sized(page, width, height, colorScheme) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height });
  await still(page);
}

/** Waits until what follows a change has been drawn, and nothing moves any more but what always does. */
export async function still(page) {
  await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    for (let i = 0; i < 3; i++) await frame();
    const roots = [document, ...[...document.querySelectorAll("page-lm")].map(({ shadowRoot }) => shadowRoot).filter(Boolean)];
    const ends = ({ effect, timeline }) => timeline === document.timeline && effect.getComputedTiming().endTime !== Infinity;
    const moving = roots.flatMap((root) => root.getAnimations()).filter(ends);
    await Promise.all(moving.map(({ finished }) => finished.catch(() => {})));
    await frame();
  });
}

export async function shot(page, name, fullPage = false) {
  mkdirSync(FOLDER, { recursive: true });
  await page.screenshot({ path: path.join(FOLDER, `${name}.png`), fullPage });
}

/** Notes what violates axe-core's rules. */
export async function check(page, what) {
  page.violations ??= [];
  // Evaluated by the debugger: the page's own policy lets no script in, nor what axe would fetch.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"], preload: false }));
  for (const { id, nodes } of violations) {
    for (const { html, failureSummary } of nodes) page.violations.push(`${what}: ${id}: ${html.slice(0, 160)} ${failureSummary.split("\n")[1] ?? ""}`);
  }
}

/** Nothing that axe-core, the console or a width complains about: all of it at once, as it is mended. */
export function assertClean(page) {
  assert.deepEqual([...page.violations, ...complaints(page), ...warnings(page)], []);
}
