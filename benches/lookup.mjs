// What drafts from the context win: the same greedy answers with and without them, in
// alternation, on tasks that quote their input and on open ones.
//
// `node benches/lookup.mjs [--model FILE] [--threads N] [--rounds N] [--tokens N]`

import { parseArgs } from "node:util";
import { launch } from "../tests/browser/chromium.mjs";
import { REAL_MODEL_FILE } from "../tests/browser/fixtures.mjs";
import { openSite } from "./site.mjs";

const TEXT =
  "The lighthouse keeper climbed the narrow stairs every evening at six, carrying a lantern and a tin of oil. He trimmed the wick, polished the great lens, and wrote the weather in a small green book. When ships passed he counted their lamps and wondered where they were bound.";
const TASKS = {
  copy: `Repeat the following text word for word:\n\n${TEXT}`,
  rewrite: `Rewrite this text in the present tense, and keep all else as it is:\n\n${TEXT}`,
  summarise: `Summarise this text:\n\n${TEXT}`,
  question: "What makes a good friend?",
  story: "Write a short story about a dog who learns to swim.",
};

const { values } = parseArgs({
  options: {
    model: { type: "string", default: REAL_MODEL_FILE },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "64" },
  },
});

const site = await openSite({ model: values.model });
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(site.page);
  const job = { module: new URL("pkg/pagelm.js", new URL(site.page)).href, url: site.model, tasks: TASKS };
  const numbers = Object.fromEntries(["threads", "rounds", "tokens"].map((name) => [name, Number(values[name])]));
  for (const { task, off, on, drafted, accepted } of await page.evaluate(measureInPage, { ...job, ...numbers })) {
    console.log(`${task}: ${off.toFixed(0)} ms without drafts, ${on.toFixed(0)} with: ${(off / on).toFixed(2)} (${accepted} of ${drafted} drafted tokens right)`);
  }
} finally {
  await browser.close();
  await site.stop();
}

// --- in the page ------------------------------------------------------------

async function measureInPage({ module, url, tasks, threads, rounds, tokens }) {
  const { PageLM } = await import(module);
  const lm = await PageLM.load(url, { threads, context: 1024 });
  const results = [];
  for (const [task, content] of Object.entries(tasks)) {
    const times = { off: [], on: [] };
    const texts = {};
    let timings;
    for (let round = 0; round < rounds; round++) {
      for (const kind of round % 2 === 0 ? ["off", "on"] : ["on", "off"]) {
        const request = { messages: [{ role: "user", content }], temperature: 0, max_tokens: tokens, prompt_lookup: kind === "on", stream: true };
        let first;
        let text = "";
        for await (const chunk of await lm.chat.completions.create(request)) {
          first ??= performance.now();
          text += chunk.choices[0]?.delta?.content ?? "";
          if (kind === "on") timings = chunk.timings ?? timings;
        }
        times[kind].push(performance.now() - first);
        texts[kind] = text;
      }
    }
    if (texts.on !== texts.off) throw new Error(`${task}: drafts changed the answer`);
    results.push({ task, off: Math.min(...times.off), on: Math.min(...times.on), drafted: timings?.draft_n, accepted: timings?.draft_n_accepted });
  }
  return results;
}
