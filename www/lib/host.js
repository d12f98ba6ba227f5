// The one model of this page: which it is, where it stands, how it is loaded.

import { chosenModel, complete } from "./catalog.js";
import { freeRoom, openLibrary, storedCopy, storedModels, wasStopped } from "./engine.js";
import { threads } from "./preferences.js";

/**
 * @typedef {"starting" | "asking" | "loading" | "ready" | "failed"} State
 *   asking: the reader has to agree to the download, or to choose another model
 */

/** Sends "state" at each change of it, and "progress" while a model loads. */
export class Host extends EventTarget {
  /** @type {State} */
  state = "starting";
  /** @type {import("./catalog.js").Model | undefined} */
  model;
  /** The loaded model, while the state is ready. */
  lm;
  /** Of the state failed. */
  error;
  /** What the browser has of the model: of PageLM.models(). */
  stored;
  /** Bytes that this site may still store, where the browser tells. */
  room;
  PageLM;
  /** Asked where there is no room to store the model: see `onQuota` of PageLM.load. */
  onQuota = () => "fail";
  #loading;
  /** How models are loaded beyond the preferences: a remedy may change it. */
  #options = {};

  /** Finds out which model this page is about, and loads it if that needs no download. */
  async start() {
    try {
      // First, as another model may be chosen in place of one that is not to be had.
      ({ PageLM: this.PageLM } = await openLibrary());
      this.model = await chosenModel();
      await this.#open();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Turns to another model. */
  async use(model) {
    if (model.url === this.model?.url && this.state === "ready") return;
    await this.#end();
    // A file of this device is held as long as its address lives.
    if (this.model?.local && this.model.url !== model.url) URL.revokeObjectURL(this.model.url);
    this.model = model;
    this.#options = {};
    await this.#open();
  }

  /** Loads the model, downloading it where that has to be. */
  async load() {
    await this.#end();
    const loading = new AbortController();
    this.#loading = loading;
    this.#enter("loading");
    const { signal } = loading;
    const onProgress = (progress) => this.dispatchEvent(new CustomEvent("progress", { detail: progress }));
    try {
      const lm = await this.PageLM.load(this.model.url, { ...this.#preferred(), ...this.#options, signal, onProgress, onQuota: (quota) => this.onQuota(quota) });
      if (this.#loading !== loading) return lm.unload();
      this.lm = lm;
      this.#enter("ready");
    } catch (error) {
      if (this.#loading !== loading) return;
      if (wasStopped(error, signal)) await this.#ask();
      else this.#fail(error);
    }
  }

  /** Reads the model's header: what it is and what memory it takes. Fails as a load would by then. */
  async check() {
    const { model } = this;
    try {
      const { architecture, parameters, quantization, file_bytes, needed } = await this.PageLM.preflight(model.url);
      Object.assign(model, { bytes: file_bytes, memory: needed, kind: { architecture, parameters, quantization } });
      if (model === this.model) this.#enter("asking");
    } catch (error) {
      if (model === this.model) this.#fail(error);
    }
  }

  /** Stops a load. */
  cancel() {
    this.#loading?.abort();
  }

  /** Loads again, with these options from now on. */
  async reload(options = {}) {
    this.#options = { ...this.#options, ...options };
    await this.load();
  }

  /** Deletes what is stored of the model, and loads it again from where it came. */
  async refetch() {
    // What cannot be deleted is written over by the load.
    await this.PageLM.remove(this.model.url).catch(() => {});
    await this.load();
  }

  /** @returns {Promise<object[]>} of PageLM.models(); nothing where storage is refused */
  async storedModels() {
    return this.PageLM ? storedModels(this.PageLM) : [];
  }

  async remove(url) {
    await this.PageLM.remove(url);
    if (url === this.model?.url) this.stored = undefined;
  }

  /** Resolves with the loaded model; rejects if the signal is aborted before. */
  async ready(signal) {
    while (this.state !== "ready") {
      await new Promise((resolve, reject) => {
        const abort = () => reject(signal.reason);
        if (signal.aborted) abort();
        signal.addEventListener("abort", abort, { once: true });
        this.addEventListener("state", () => (signal.removeEventListener("abort", abort), resolve()), { once: true });
      });
    }
    return this.lm;
  }

  async #open() {
    const { model } = this;
    const stored = await storedCopy(this.PageLM, model.url);
    if (this.model !== model) return;
    this.stored = stored;
    if (this.stored?.complete || this.model.local) await this.load();
    else await this.#ask();
  }

  async #ask() {
    const { model } = this;
    const loading = this.#loading;
    const [stored, room] = await Promise.all([storedCopy(this.PageLM, model.url), freeRoom(this.PageLM)]);
    await complete(model);
    // Another may have been chosen meanwhile, or this one be loading.
    if (this.model !== model || this.#loading !== loading) return;
    Object.assign(this, { stored, room });
    this.#enter("asking");
  }

  /** What is read from disk is not stored once more, and no other tab can read it. */
  #preferred() {
    const { local, sha256 } = this.model;
    return { threads: threads(), ...(sha256 && { sha256 }), ...(local && { cache: false, shared: false }) };
  }

  async #end() {
    this.#loading?.abort();
    this.#loading = undefined;
    // What ends answers nothing any more.
    if (this.state === "ready") this.state = "starting";
    const { lm } = this;
    this.lm = undefined;
    this.error = undefined;
    await lm?.unload();
  }

  #fail(error) {
    this.error = error;
    this.#enter("failed");
  }

  #enter(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
