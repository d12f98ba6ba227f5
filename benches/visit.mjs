// One engine, measured once in Chromium: a visit in a new profile that fetches
// the model, a second that finds it in the browser's cache and measures the
// speeds, and one in another new profile that watches the memory.
//
// An engine is a file in engines/, an ES module that runs in the page:
//   load({ url, onnx, threads, context, variant }) → { variant, threads }
//   prefill(prompt)       → { tokens, ms }   the prompt's tokens
//   decode(prompt, count) → { tokens, ms }   tokens after the first
// All are timed by the page's clock around their public interface.

import { setTimeout as sleep } from "node:timers/promises";
import { launchProfile } from "../tests/browser/chromium.mjs";
import { rendererMemory, settled } from "../tests/browser/renderer-memory.mjs";
import { isSpeed } from "./measures.mjs";
import { shortPrompt, wordPrompt } from "./prompts.mjs";

const MiB = 2 ** 20;
const WARM_UP = { prompt: 64, tokens: 16 };
const WATCH_MS = 50;

/**
 * @param {object} site    of site.mjs
 * @param {object} task    { engine, threads, context, variant, decodeTokens, measures, seed, limit }
 * @param {(measure: object, outcome: object) => void} record
 *        hears of each measure once: { value, … } or { failed: why }
 * @returns {Promise<{info?: object, browser: string}>} what the engine says of itself
 */
export async function visit(site, task, record) {
  const wanted = (kind) => task.measures.find((measure) => measure.kind === kind);
  const attempt = async (measure, action, tidy) => {
    try {
      record(measure, await action());
    } catch (error) {
      record(measure, { failed: reasonOf(error) });
      await tidy?.();
    }
  };
  const about = await inProfile(async (context) => {
    const tab = new Tab(context, site, task);
    const browser = context.browser()?.version() ?? "";
    try {
      await fetchModel(site, tab, wanted, record);
    } catch (error) {
      const rest = task.measures.filter(({ kind }) => kind !== "memory");
      for (const measure of rest) record(measure, { failed: reasonOf(error) });
      return { browser };
    }
    if (wanted("cache")) await attempt(wanted("cache"), async () => ({ value: (await tab.load()) / 1000 }), () => tab.close());
    for (const measure of task.measures.filter(isSpeed)) {
      await attempt(measure, () => speed(tab, measure, task), () => tab.close());
    }
    return { browser, info: tab.info };
  });
  // No other system tells what memory belongs to a process alone.
  if (wanted("memory") && process.platform === "linux") {
    await attempt(wanted("memory"), () => inProfile((context) => peakMemory(new Tab(context, site, task), context, task)));
  }
  return about;
}

/** Fills the cache, in any case; what that took is recorded where it is wanted. */
async function fetchModel(site, tab, wanted, record) {
  const mark = site.mark();
  const ms = await tab.load();
  await tab.close();
  if (wanted("network")) record(wanted("network"), { value: ms / 1000 });
  if (wanted("wasm")) record(wanted("wasm"), { value: site.wasmBytes(mark) / 1e6 });
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
  try {
    await tab.load();
    await tab.warmUp(seed);
  } finally {
    over = true;
    await watching;
  }
  return { value: (peak - empty) / MiB };
}

/** A page with the engine in it; a step that takes longer than the limit is given up. */
class Tab {
  info;
  #context;
  #site;
  #task;
  #page;
  #warm = false;

  constructor(context, site, task) {
    this.#context = context;
    this.#site = site;
    this.#task = task;
  }

  async open() {
    this.#page ??= await this.#context.newPage();
    await this.#page.goto(this.#site.page);
    this.#warm = false;
  }

  async close() {
    await this.#page?.close();
    this.#page = undefined;
  }

  /** Loads the engine and the model in a page without either; milliseconds of the latter. */
  async load() {
    await this.open();
    const { engine, threads, context, variant } = this.#task;
    const job = { url: this.#site.model, onnx: this.#site.onnx, threads, context, variant };
    const { info, ms } = await this.#evaluate(loadInPage, { module: this.#site.module(engine), job });
    this.info = info;
    return ms;
  }

  /** Code that has run is compiled again, better: what is measured is that. */
  async warmUp(seed) {
    if (!this.#page) await this.load();
    if (this.#warm) return;
    await this.prefill(wordPrompt(WARM_UP.prompt, seed + 1));
    await this.decode(shortPrompt(seed + 1), WARM_UP.tokens);
    this.#warm = true;
  }

  prefill(prompt) {
    return this.#evaluate((prompt) => globalThis.engine.prefill(prompt), prompt);
  }

  decode(prompt, count) {
    return this.#evaluate(({ prompt, count }) => globalThis.engine.decode(prompt, count), { prompt, count });
  }

  #evaluate(task, argument) {
    return within(this.#task.limit, this.#page.evaluate(task, argument));
  }
}

async function loadInPage({ module, job }) {
  globalThis.engine = await import(module);
  const start = performance.now();
  const info = await globalThis.engine.load(job);
  return { info, ms: performance.now() - start };
}

async function inProfile(work) {
  const { context, close } = await launchProfile();
  try {
    return await work(context);
  } finally {
    await close();
  }
}

async function within(seconds, promise) {
  const over = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: over.signal }).then(() => {
    throw new Error(`longer than ${seconds} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
    // The page goes with whatever still runs in it.
    promise.catch(() => {});
  }
}

/** The first line of what went wrong, without the caller's trace. */
function reasonOf(error) {
  return error.message.split("\n")[0].replace(/^page\.evaluate: (Error: )?/, "");
}
