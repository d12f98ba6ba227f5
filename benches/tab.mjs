// A page of Chromium with one engine in it.
//
// An engine is a file in engines/, an ES module that runs in the page:
//   load({ url, onnx, threads, context, variant, kvCache }) → { variant, threads }
//   prefill(prompt)       → { tokens, ms }   the prompt's tokens
//   decode(prompt, count) → { tokens, ms }   tokens after the first
// All are timed by the page's clock around their public interface.

import { setTimeout as sleep } from "node:timers/promises";
import { shortPrompt, wordPrompt } from "./prompts.mjs";

const WARM_UP = { prompt: 512, tokens: 128 };

/** What takes longer than the limit is given up. */
export class Tab {
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
    const { engine, threads, context, variant, kvCache } = this.#task;
    const job = { url: this.#site.model, onnx: this.#site.onnx, threads, context, variant, kvCache };
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

/** A step took longer than it may. */
export class TooLong extends Error {
  constructor(seconds) {
    super(`longer than ${seconds} s`);
  }
}

async function within(seconds, promise) {
  const over = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: over.signal }).then(() => {
    throw new TooLong(seconds);
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
