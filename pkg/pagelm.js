// A language model in this page: the API of the package.

import { ChatCompletions, Completions } from "./completions.js";
import { Engine } from "./engine.js";
import { PageLMError, aborted, badRequest } from "./errors.js";
import { absoluteUrl, models, remove, storage, tidyFiles } from "./models.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { withRoom } from "./quota.js";
import { abortSignal, list, object, plain } from "./request.js";
import { Sessions } from "./sessions.js";
import { Tasks } from "./tasks.js";
import { SharedEngine, canShare } from "./shared.js";

export { PageLMError };

/** Most threads that a model can use. */
const MAX_THREADS = 16;
/** Most threads that it uses unasked: decoding is bound by memory, and further cores are often slow ones. */
const DEFAULT_MAX_THREADS = 4;
/** Progress is reported at least every 100 ms; timers are late at times. */
const REPEAT_MS = 80;
const VARIANTS = ["simd", "relaxed", "threads"];

/** A loaded model. */
export class PageLM {
  #engine;
  #info;
  #tasks;

  /** Use `PageLM.load`. */
  constructor(engine, { info, settings }, model) {
    this.#engine = engine;
    this.#info = Object.freeze(info);
    this.completions = new Completions(engine, model, settings.sampling);
    this.chat = { completions: new ChatCompletions(engine, model, settings.sampling) };
    this.sessions = new Sessions(engine, model);
    this.#tasks = new Tasks(this, engine);
  }

  /**
   * Loads a model: from this browser's store, or from the server into it.
   *
   * @param {string | URL} url a .gguf file
   * @param {object} [options] see LoadOptions in pagelm.d.ts
   * @returns {Promise<PageLM>}
   * @throws {PageLMError}
   */
  static async load(url, options = {}) {
    const { onProgress, signal, onQuota, threads, context, kv_cache, variant, cache, storage, tokenizer, sha256, retries, stall_ms, record_mb, shared = true, ...unknown } = object("options", options);
    const [surplus] = Object.keys(unknown);
    if (surplus !== undefined) throw badRequest(`\`${surplus}\` is not an option of load`);
    const address = modelAddress(url);
    const settings = plain({ threads: threadCount(threads), context, kv_cache, variant: checkedVariant(variant), cache, storage, tokenizer: tokenizerAddress(tokenizer), sha256, retries, stall_ms, record_mb });
    const abort = abortSignal(signal);
    const reporter = new Reporter(onProgress);
    if (storage === "opfs") tidyFiles();
    try {
      // The worker has nothing to tell before its binary runs.
      reporter.begin();
      return await withRoom(address, onQuota, (cache) => loadOnce(address, cache === undefined ? settings : { ...settings, cache }, shared, abort, reporter));
    } finally {
      reporter.close();
      // What earlier loads have left in files. Nobody waits for it, and it does not fail.
      if (cache !== false) tidyFiles();
    }
  }

  /**
   * What a model is, what memory it will take, and whether it can run here: told by its
   * header, before its weights are fetched. Rejects as `load` would at that point.
   *
   * @param {string | URL} url a .gguf file
   * @param {object} [options] see PreflightOptions in pagelm.d.ts
   * @returns {Promise<object>}
   * @throws {PageLMError}
   */
  static async preflight(url, options = {}) {
    const { signal, context, kv_cache, cache, tokenizer, ...unknown } = object("options", options);
    const [surplus] = Object.keys(unknown);
    if (surplus !== undefined) throw badRequest(`\`${surplus}\` is not an option of preflight`);
    const message = { type: REQUEST.PREFLIGHT, url: modelAddress(url), options: plain({ threads: 1, context, kv_cache, cache, tokenizer: tokenizerAddress(tokenizer) }) };
    const abort = abortSignal(signal);
    if (abort?.aborted) throw aborted(abort);
    const { name, architecture, parameters, quantization, file_bytes, needed, memory } = await Engine.ask(message, { signal: abort });
    return { name, architecture, parameters, quantization, file_bytes, needed, memory };
  }

  /** How much room this origin has; with `persist`, asks the browser to keep what is stored. */
  static storage(options) {
    return storage(options);
  }

  /** What is stored in this browser. */
  static models() {
    return models();
  }

  /** Deletes a stored model. One that is loaded goes on working. */
  static async remove(url) {
    await remove(modelAddress(url));
  }

  /** What is loaded: see Info in pagelm.d.ts. */
  get info() {
    return this.#info;
  }

  /** The tokens of a text; with `special`, special tokens are added and recognised in it. */
  async tokenize(text, options = {}) {
    const { special } = object("options", options);
    return (await this.#engine.request({ type: REQUEST.TOKENIZE, ...plain({ text, special }) })).tokens;
  }

  /** The text of tokens. */
  async detokenize(ids) {
    return (await this.#engine.request({ type: REQUEST.DETOKENIZE, tokens: list("ids", ids) })).text;
  }

  /** How many tokens a conversation is, as the model's template writes it. */
  async countTokens(messages, options) {
    return (await this.#engine.request({ type: REQUEST.COUNT, ...conversation("countTokens", messages, options) })).count;
  }

  /** A conversation as the model's template writes it: the prompt's text, and its tokens. */
  async render(messages, options) {
    const { text, tokens } = await this.#engine.request({ type: REQUEST.RENDER, ...conversation("render", messages, options) });
    return { text, tokens };
  }

  /**
   * How probable a text, or a sequence of tokens, is to the model:
   * nll = -1/T Σ log P(x_t | x_<t) over the T tokens that have others before them.
   */
  async score(text, options = {}) {
    const { signal, onProgress } = object("options", options);
    const onAnswer = ({ type, phase, loaded, total }) => {
      if (type === ANSWER.PROGRESS) onProgress?.({ phase, loaded, total });
    };
    const input = typeof text === "string" ? { text } : { tokens: list("text", text) };
    const { tokens, logprobs, nll, perplexity } = await this.#engine.request({ type: REQUEST.SCORE, ...input }, { signal: abortSignal(signal), onAnswer });
    return { tokens, logprobs, nll, perplexity };
  }

  /** Which of `labels` fits a text best, by how probable the model finds each as the answer. */
  async classify(text, labels, options) {
    return this.#tasks.classify(text, labels, options);
  }

  /** A text in another language. */
  async translate(text, options) {
    return this.#tasks.translate(text, options);
  }

  /** What is essential in a text, however long. */
  async summarize(text, options) {
    return this.#tasks.summarize(text, options);
  }

  /**
   * Where the time goes: milliseconds of each step of the forward pass, for a prompt of
   * `prefill` tokens and for `decode` tokens behind it. The tokens mean nothing.
   */
  async profile(options = {}) {
    const { prefill, decode } = object("options", options);
    const report = await this.#engine.request({ type: REQUEST.PROFILE, ...plain({ prefill, decode }) });
    return { prefill: report.prefill, decode: report.decode };
  }

  /** Ends the model's worker and frees its memory. What is pending fails as `unloaded`. */
  async unload() {
    this.#engine.close();
  }
}

/** The model, in this tab or in another one's. */
async function loadOnce(address, options, shared, signal, reporter) {
  if (signal?.aborted) throw aborted(signal);
  const callbacks = { signal, onAnswer: (answer) => reporter.take(answer) };
  const name = address.split("/").at(-1);
  if (!shared || !(await canShare())) {
    const { engine, loaded } = await start(address, options, callbacks);
    return new PageLM(engine, loaded, name);
  }
  const { context, kv_cache, variant, threads, cache, sha256, tokenizer } = options;
  const key = JSON.stringify([address, context, kv_cache, variant, threads, cache, sha256, tokenizer]);
  const engine = new SharedEngine(key, (callbacks) => start(address, options, callbacks));
  return new PageLM(engine, await engine.open(callbacks), name);
}

/** A worker of this tab with the model in it. */
async function start(address, options, callbacks) {
  const { engine, loaded } = await Engine.load({ type: REQUEST.LOAD, url: address, options }, callbacks);
  const { info, stored, settings } = loaded;
  // That what is stored be kept when the device runs short of room.
  if (stored) storage({ persist: true }).catch(() => {});
  return { engine, loaded: { info, settings } };
}

/** Passes progress on, and repeats it while the worker is too busy to say anything. */
class Reporter {
  #onProgress;
  #last = null;
  #timer;

  constructor(onProgress) {
    this.#onProgress = onProgress;
  }

  begin() {
    this.take({ type: ANSWER.PROGRESS, phase: "start", loaded: 0, total: null });
  }

  take({ type, phase, loaded, total, retry }) {
    if (type !== ANSWER.PROGRESS || !this.#onProgress) return;
    this.#last = retry ? { phase, loaded, total, retry } : { phase, loaded, total };
    this.#report();
  }

  close() {
    this.#onProgress = null;
    clearTimeout(this.#timer);
  }

  #report() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#report(), REPEAT_MS);
    this.#onProgress({ ...this.#last });
  }
}

/** What the template of `method` is given, as plain JSON. */
function conversation(method, messages, options = {}) {
  const { add_generation_prompt, tools, documents, variables, ...unknown } = object("options", options);
  const [surplus] = Object.keys(unknown);
  if (surplus !== undefined) throw badRequest(`\`${surplus}\` is not an option of ${method}`);
  return plain({ messages, add_generation_prompt, tools, documents, variables });
}

function modelAddress(url) {
  try {
    return absoluteUrl(url);
  } catch {
    throw badRequest(`"${url}" is not an address`);
  }
}

/** The address of a tokenizer.json, if one is given. */
function tokenizerAddress(url) {
  return url === undefined ? undefined : modelAddress(url);
}

function threadCount(asked) {
  if (asked === undefined) return Math.min(navigator.hardwareConcurrency || 1, DEFAULT_MAX_THREADS);
  if (Number.isInteger(asked) && asked >= 1 && asked <= MAX_THREADS) return asked;
  throw badRequest(`\`threads\` is ${asked}, but must be a whole number from 1 to ${MAX_THREADS}`);
}

function checkedVariant(variant) {
  if (variant === undefined || VARIANTS.includes(variant)) return variant;
  throw badRequest(`\`variant\` is "${variant}", but must be one of ${VARIANTS.join(", ")}`);
}
