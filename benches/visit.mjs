// One engine, measured once in Chromium: a visit in a new profile that fetches
// the model, a second that finds it in the browser's cache and measures the
// speeds, and one in another new profile that watches the memory.

import { setTimeout as sleep } from "node:timers/promises";
import { launchProfile } from "../tests/browser/chromium.mjs";
import { rendererMemory, settled } from "../tests/browser/renderer-memory.mjs";
import { FIRST_PROMPT, isSpeed } from "./measures.mjs";
import { shortPrompt, wordPrompt } from "./prompts.mjs";
import { Tab, TooLong } from "./tab.mjs";

const MiB = 2 ** 20;
const WATCH_MS = 50;

/**
 * @param {object} site    of site.mjs
 * @param {object} task    { engine, threads, context, variant, decodeTokens, measures, seed, limit }
 * @param {(measure: object, outcome: object) => void} record
 *        hears of each measure once: { value, … } or { failed: why, late: whether by the limit }
 * @returns {Promise<{info?: object, browser: string}>} what the engine says of itself
 */
export async function visit(site, task, record) {
  const left = new Set(task.measures);
  const tell = (measure, outcome) => {
    if (left.delete(measure)) record(measure, outcome);
  };
  const memory = task.measures.find(({ kind }) => kind === "memory");
  let about = { browser: "" };
  try {
    about = await inProfile((context) => timed(site, task, context, tell));
  } catch (error) {
    // Without a model in the cache there is nothing to measure.
    for (const measure of left) if (measure !== memory) tell(measure, failure(error));
  }
  // No other system tells what memory belongs to a process alone.
  if (memory && process.platform === "linux") {
    await attempt(memory, tell, () => inProfile((context) => peakMemory(new Tab(context, site, task), context, task)));
  }
  return about;
}

/** All but the memory. */
async function timed(site, task, context, tell) {
  const tab = new Tab(context, site, task);
  const wanted = (kind) => task.measures.find((measure) => measure.kind === kind);
  const mark = site.mark();
  const ms = await tab.load();
  await tab.close();
  if (wanted("network")) tell(wanted("network"), { value: ms / 1000 });
  if (wanted("wasm")) tell(wanted("wasm"), { value: site.wasmBytes(mark) / 1e6 });
  if (wanted("cache")) await attempt(wanted("cache"), tell, async () => ({ value: (await tab.load()) / 1000 }), tab);
  if (wanted("first")) await attempt(wanted("first"), tell, async () => ({ value: (await firstToken(tab, task.seed)) / 1000 }), tab);
  for (const measure of task.measures.filter(isSpeed)) {
    await attempt(measure, tell, () => speed(tab, measure, task), tab);
  }
  return { browser: context.browser()?.version() ?? "", info: tab.info };
}

/** Milliseconds from nothing to an answer's first token, in a page that has compiled nothing yet. */
async function firstToken(tab, seed) {
  const ms = await tab.load();
  return ms + (await tab.prefill(wordPrompt(FIRST_PROMPT, seed))).ms;
}

async function speed(tab, { kind, tokens }, { decodeTokens, seed }) {
  await tab.warmUp(seed);
  const words = wordPrompt(tokens, seed);
  const { tokens: done, ms } = kind === "prefill" ? await tab.prefill(words) : await tab.decode(words + shortPrompt(seed), decodeTokens);
  if (kind === "decode" && done < decodeTokens / 2) throw new Error(`ended after ${done + 1} tokens`);
  return { value: (done / ms) * 1000, tokens: done, ms };
}

/** MiB above the empty page, at the highest point of a load from the network and an answer. */
async function peakMemory(tab, context, { seed }) {
  await tab.open();
  const read = await rendererMemory(context);
  const empty = await settled(read);
  let peak = empty;
  let over = false;
  const watching = (async () => {
    while (!over) {
      peak = Math.max(peak, await read());
      await sleep(WATCH_MS);
    }
  })();
  // If the browser dies, the load says so.
  watching.catch(() => {});
  try {
    await tab.load();
    await tab.warmUp(seed);
  } finally {
    over = true;
    await watching;
  }
  return { value: (peak - empty) / MiB };
}

/** Tells what came out; after a failure the tab is closed, with whatever still runs in it. */
async function attempt(measure, tell, action, tab) {
  try {
    tell(measure, await action());
  } catch (error) {
    tell(measure, failure(error));
    await tab?.close();
  }
}

async function inProfile(work) {
  const { context, close } = await launchProfile();
  try {
    return await work(context);
  } finally {
    await close();
  }
}

/** The first line of what went wrong, without the caller's trace. */
function failure(error) {
  const failed = error.message.split("\n")[0].replace(/^page\.evaluate: (Error: )?/, "");
  return { failed, late: error instanceof TooLong };
}
