// A long answer in a long conversation: the main thread has no task over 50 ms of its own, and
// memory does not grow with the drawing.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOADED, button, openLoaded, until } from "./app.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";
import { watchMainThread } from "./main-thread.mjs";

const MESSAGES = 200;
const TOKENS = 2000;
/** What 1,500 further tokens may add to the heap of the page, their text, elements and trace included. */
const GROWTH = 6e6;

describe("smoothness", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });

  test(`a conversation of ${MESSAGES} messages, and an answer of ${TOKENS} tokens in it`, async (t) => {
    const page = await openLoaded(site, t);
    const tasks = await watchMainThread(page);
    await importTalk(page, longTalk(), tasks);
    await until(async () => (await page.getByRole("article").count()) === MESSAGES, "not all messages are drawn");
    assert.deepEqual(await tasks(), [], `while ${MESSAGES} messages were drawn`);
    const { held } = await page.evaluate(() => ({ held: scrollY + innerHeight >= document.documentElement.scrollHeight - 2 }));
    assert.ok(held, "the end of the conversation is not in view");

    const session = await page.context().newCDPSession(page);
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize;
    };
    await tasks();
    // A text that repeats itself goes on doing so, for as long as it may.
    const written = () => page.locator(".answer").last().evaluate((answer) => answer.textContent.length);
    const begun = await written();
    await button(page, "Continue").click();
    // The prompt is as long as the context allows.
    await page.waitForFunction((least) => [...document.querySelectorAll(".answer")].at(-1).textContent.length > least, begun + 500, LOADED);
    assert.deepEqual(await tasks(), [], "at the beginning of the answer");
    // Collecting garbage on demand is a long task of the test's own: it is not watched.
    const before = await heap();
    await tasks();
    await button(page, "Send").waitFor({ timeout: 120_000 });
    assert.deepEqual(await tasks(), [], "while the answer was written");
    const after = await heap();
    const [, tokens] = /Cut off after ([\d,]+) tokens/.exec(await page.getByRole("article").last().innerText());
    assert.equal(Number(tokens.replaceAll(",", "")), TOKENS);
    assert.ok(after - before < GROWTH, `the heap grew by ${after - before} bytes`);
    assert.deepEqual(complaints(page), []);
  });
});

/** The last answer is one that repeats itself, and can be gone on with. */
function longTalk() {
  const text = (i) => `Answer ${i}, with **bold** words and a list:\n\n- one\n- two\n\n\`\`\`js\nconst n = ${i};\n\`\`\`\n\n${"A sentence of some length stands here. ".repeat(8)}`;
  const endless = "The sea is deep and blue, and the wind is cold.\n\n".repeat(20);
  const messages = Array.from({ length: MESSAGES }, (_, i) => ({
    id: `${i}`,
    parent: i === 0 ? null : `${i - 1}`,
    role: i % 2 === 0 ? "user" : "assistant",
    text: i % 2 === 0 ? `Question ${i}?` : i === MESSAGES - 1 ? endless : text(i),
    created: i,
    ...(i === MESSAGES - 1 && { state: "stopped" }),
  }));
  const settings = { temperature: 0, max_tokens: TOKENS };
  return { format: "pagelm-conversations", version: 1, conversations: [{ title: "Long", leaf: `${MESSAGES - 1}`, settings, messages }] };
}

async function importTalk(page, file, before = () => {}) {
  const chooser = page.waitForEvent("filechooser");
  await button(page, "All conversations").click();
  await page.getByRole("menuitem", { name: "Import…" }).click();
  await before();
  await (await chooser).setFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(file)) });
  await page.getByRole("heading", { level: 1, name: file.conversations[0].title }).waitFor();
}
