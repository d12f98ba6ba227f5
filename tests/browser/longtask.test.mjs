// The page's main thread stays free: no task over 50 ms (the threshold of the
// Long Tasks API) while a model is loaded or answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRealModel, openSite, ready } from "./harness.mjs";

const site = await openSite({ onDisk: true });

test("the observer sees a long task", async (t) => {
  const page = await site.blank(t);
  const tasks = await page.evaluate(async (watch) => {
    const finish = eval(`(${watch})`)();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const end = performance.now() + 120;
    while (performance.now() < end);
    return finish();
  }, String(watchLongTasks));
  assert.ok(tasks.some(({ duration }) => duration >= 100), JSON.stringify(tasks));
});

test("no long task from the network to the answer, nor from the cache", needsRealModel(), async (t) => {
  const page = await site.blank(t);
  for (const visit of ["network", "cache"]) {
    const tasks = await page.evaluate(
      async ({ url, watch }) => {
        const finish = eval(`(${watch})`)();
        await load(url, { onProgress: () => {} });
        const prompt = "word ".repeat(700);
        const stream = await lm.completions.create({ prompt, max_tokens: 100, ignore_eos: true, temperature: 0, stream: true });
        for await (const chunk of stream) document.title = chunk.choices[0]?.text ?? "";
        await lm.unload();
        return finish();
      },
      { url: site.realModel, watch: String(watchLongTasks) },
    );
    assert.deepEqual(tasks, [], `on the way from the ${visit}`);
    await page.reload();
    await ready(page);
  }
});

/** Starts to observe, in the page; the function returned ends that and tells what was seen. */
function watchLongTasks() {
  const tasks = [];
  const keep = (list) => {
    for (const { startTime, duration, attribution } of list.getEntries()) {
      tasks.push({ startTime, duration, by: attribution.map(({ containerType, containerName }) => `${containerType} ${containerName}`) });
    }
  };
  const observer = new PerformanceObserver(keep);
  observer.observe({ entryTypes: ["longtask"] });
  return async () => {
    // Entries are delivered in a task of their own.
    await new Promise((resolve) => setTimeout(resolve, 200));
    keep({ getEntries: () => observer.takeRecords() });
    observer.disconnect();
    return tasks;
  };
}
