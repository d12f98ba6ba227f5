// The first token on a visit that finds the model stored and the server without it: from the
// call of `PageLM.load` on, for each place where a model can be stored, in alternation. Each
// visit is a browser of its own that nothing is attached to, on a profile that has the model:
// it loads the model when it has just started, and again after a reload of the page.
//
// `node benches/first.mjs [ROUNDS]` prints a table in Markdown, in ms: the median, and every visit.

import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { DOCROOT, REAL_MODEL } from "../tests/browser/fixtures.mjs";
import { plainVisit } from "../tests/browser/plain-visit.mjs";
import { serve } from "../tests/browser/server.mjs";

const rounds = Number(process.argv[2] ?? 6);
const server = await serve({ root: DOCROOT, isolated: true });
const stores = [];
for (const storage of ["indexeddb", "opfs"]) {
  stores.push({ storage, profile: await mkdtemp(path.join(os.tmpdir(), "pagelm-first-")), visits: [] });
}
try {
  for (const store of stores) await visit(store);
  server.remove(REAL_MODEL);
  for (let round = 0; round < rounds; round++) {
    for (const store of round % 2 ? stores.toReversed() : stores) store.visits.push(await visit(store));
  }
} finally {
  for (const { profile } of stores) await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  await server.stop();
}
console.log("| stored in | | load | first token | longest time without a report |\n|---|---|---|---|---|");
for (const { storage, visits } of stores) {
  for (const [i, when] of ["new browser", "reload"].entries()) {
    const cells = ["load", "first", "silence"].map((name) => told(visits.map((times) => times[i][name])));
    console.log(`| ${storage} | ${when} | ${cells.join(" | ")} |`);
  }
}

/** The times of both loads. */
async function visit({ storage, profile }) {
  const times = [];
  // The answer tells whether that was the last.
  const onStage = (_, data) => times.push(data) === 2;
  await plainVisit({ server, profile, onStage, argument: { url: REAL_MODEL, storage }, script: inPage });
  const wrong = times.find((each) => each.storage !== storage);
  if (wrong) throw new Error(`stored in ${wrong.storage}, not ${storage}`);
  return times;
}

function told(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const median = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return `${median.toFixed(0)} (${values.map((value) => value.toFixed(0)).join(", ")})`;
}

async function inPage(stage, { url, storage }) {
  const { PageLM } = await import("./pkg/pagelm.js");
  // What the browser does when it starts is not the model's.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const reports = [performance.now()];
  const lm = await PageLM.load(url, { storage, onProgress: () => reports.push(performance.now()) });
  const loaded = performance.now();
  reports.push(loaded);
  for await (const _ of await lm.completions.create({ prompt: "The capital of France is", max_tokens: 4, stream: true })) break;
  const first = performance.now() - reports[0];
  const silence = Math.max(...reports.slice(1).map((time, i) => time - reports[i]));
  const { storage: storedIn } = lm.info;
  await lm.unload();
  if (await stage("told", { load: loaded - reports[0], first, silence, storage: storedIn })) return;
  location.reload();
  await new Promise(() => {});
}
