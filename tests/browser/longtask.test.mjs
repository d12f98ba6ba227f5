// The page's main thread stays free: no task over 50 ms (the threshold of the
// Long Tasks API) while a model is loaded or answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRealModel, openSite, ready } from "./harness.mjs";
import { watchMainThread } from "./main-thread.mjs";
import { sendText } from "./server.mjs";

const site = await openSite({ onDisk: true });

test("long tasks are seen: those that compute, and those that wait", async (t) => {
  const page = await site.blank(t);
  const late = site.server.route("late.txt", (_request, response) => void setTimeout(sendText, 150, response, 200, "late"));
  const tasks = await watchMainThread(page);
  // In a task of the page's own: what the test's protocol runs is not reported.
  await page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    let x = 1;
    for (let i = 0; i < 5e8; i++) x = Math.imul(x, 3) ^ i;
    return x;
  });
  // The page may have had others, before it or beside it.
  const computed = await tasks();
  assert.ok(computed.some(({ ms }) => ms > 100), JSON.stringify(computed));
  await page.evaluate(async (url) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const request = new XMLHttpRequest();
    request.open("GET", url, false);
    request.send();
  }, late);
  const waited = await tasks();
  assert.ok(waited.some(({ ms }) => ms > 100), JSON.stringify(waited));
});

test("no long task from the network to the answer, nor from the cache", needsRealModel(), async (t) => {
  const page = await site.blank(t);
  for (const visit of ["network", "cache"]) {
    const tasks = await watchMainThread(page);
    await page.evaluate(async (url) => {
      await load(url, { onProgress: () => {} });
      const prompt = "word ".repeat(700);
      const stream = await lm.completions.create({ prompt, max_tokens: 100, ignore_eos: true, temperature: 0, stream: true });
      for await (const chunk of stream) document.title = chunk.choices[0]?.text ?? "";
      await lm.unload();
    }, site.realModel);
    assert.deepEqual(await tasks(), [], `on the way from the ${visit}`);
    await page.reload();
    await ready(page);
  }
});
