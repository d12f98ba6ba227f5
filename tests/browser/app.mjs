// The chat app as a visitor uses it, by role and label.

import assert from "node:assert/strict";

export const QUESTION = "Name the capital of France.";
export const LOADED = { timeout: 60_000 };

export function question(page) {
  return page.getByRole("textbox", { name: "Your question", exact: true });
}

export function button(page, name) {
  return page.getByRole("button", { name, exact: true });
}

/** The one that names the model. */
export function modelButton(page) {
  return page.getByRole("button", { name: /^Model: / });
}

/** The app with its model loaded: downloaded, if this profile has it not. */
export async function openLoaded(site, t, file = "") {
  const page = await site.open(t, file);
  await loaded(page);
  return page;
}

export async function loaded(page) {
  const consent = page.getByRole("button", { name: /^(Download|Load from)/ });
  await consent.or(ready(page)).first().waitFor(LOADED);
  if (await consent.isVisible()) await consent.click();
  await ready(page).waitFor(LOADED);
}

/** There when the model is. */
export function ready(page) {
  return page.locator('pl-chat[data-host="ready"]');
}

/** A short answer may be over before one could see the stop button: the question's place in the talk is the sign. */
export async function ask(page, text) {
  const articles = page.getByRole("article");
  const before = await articles.count();
  await question(page).fill(text);
  await question(page).press("Enter");
  await until(async () => (await articles.count()) > before, "the question does not appear");
}

/** Puts a question and waits for its answer. */
export async function askAndWait(page, text) {
  await ask(page, text);
  await answerEnds(page);
  return lastAnswer(page);
}

/** The text of the newest answer, without the line about it. */
export async function lastAnswer(page) {
  return (await page.getByRole("article").last().locator(".answer").last().innerText()).trim();
}

export async function answerEnds(page) {
  await button(page, "Send").waitFor({ timeout: 60_000 });
}

export async function assertText(page, text, options = { timeout: 5_000 }) {
  const place = page.getByText(text).first();
  await place.waitFor(options).catch(() => assert.fail(`the page does not say ${text}`));
}

export async function until(condition, message) {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(message);
}

/** Opens the settings, gives each field its value, and closes them. */
export async function set(page, fields) {
  await button(page, "Settings").click();
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(String(value));
  await button(page, "Done").click();
}

/** Goes on by the tab key until this has the focus, as someone without a mouse does. */
export async function tabTo(page, target, key = "Tab") {
  await until(async () => {
    await page.keyboard.press(key);
    return target.evaluate((element) => element === document.activeElement);
  }, "the tab key does not lead there");
}
