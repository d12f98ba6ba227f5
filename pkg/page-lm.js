// <page-lm model="…gguf">: a chat with a language model that runs in this page, as one
// element. Until the visitor agrees, nothing of the engine or the model is fetched.

import { Conversation } from "./widget/conversation.js";
import { LABELS } from "./widget/labels.js";
import { acquire, bytes, describe, release } from "./widget/models.js";
import { View } from "./widget/view.js";

const SHEETS = [new URL("./tokens.css", import.meta.url), new URL("./page-lm.css", import.meta.url), new URL("./page-lm-talk.css", import.meta.url)];
/** Tokens of an answer, unless the attribute `max-tokens` says otherwise. */
const MAX_TOKENS = 512;

/** The element. Its attributes, methods and events are those of page-lm.d.ts. */
export class PageLMElement extends HTMLElement {
  static observedAttributes = ["model", "tokenizer", "open", "heading", "placeholder", "inline", "greeting", "suggestions"];

  /** Words of the widget that differ from the default ones. */
  labels = {};
  #view = null;
  #conversation = new Conversation();
  /** The loaded model, and what it was loaded by. */
  #lm = null;
  #key = null;
  /** While loading: { promise, controller }. */
  #loading = null;
  /** Ends the answer that is being written. */
  #answering = null;
  /** Resolves when it has ended. */
  #answered = null;
  /** Resolves when the visitor has agreed: { promise, resolve, reject }. */
  #consent = null;
  #sight = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    this.#sight.disconnect();
    if (this.#isShown) this.#prepare().catch(() => {});
  });

  connectedCallback() {
    this.#view ??= new View(this, this.#words(), this.#actions(), SHEETS);
    this.#refresh();
    this.#offer();
  }

  disconnectedCallback() {
    // A move within the page disconnects and connects again.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#sight.disconnect();
      this.stop();
      this.#loading?.controller.abort();
      this.#unload();
    });
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#view || before === after) return;
    this.#refresh();
    if (name === "model" || name === "tokenizer") this.#changeModel();
    if (name === "open") {
      this.#emit(after === null ? "close" : "open");
      this.#offer();
    }
  }

  /** Shows the chat. */
  open() {
    this.setAttribute("open", "");
  }

  /** Hides it; an answer under way goes on. */
  close() {
    this.removeAttribute("open");
  }

  toggle() {
    if (this.hasAttribute("open")) this.close();
    else this.open();
  }

  /** Forgets the conversation. */
  clear() {
    this.stop();
    this.#conversation.clear();
    this.#view?.clear();
    this.#refresh();
  }

  /** Ends the answer that is being written; what there is of it stays. */
  stop() {
    this.#answering?.abort();
  }

  /** The conversation so far, without the system prompt. */
  get messages() {
    return this.#conversation.messages.map((message) => ({ ...message }));
  }

  /** The loaded model, for everything that the widget does not do; null before. */
  get lm() {
    return this.#lm;
  }

  /** Whether the model is loaded. */
  get ready() {
    return this.#lm !== null;
  }

  /** Loads the model. To call it is to say that the visitor has agreed. */
  async load() {
    if (this.#lm) return;
    this.#consent?.resolve();
    this.#loading ??= this.#start();
    await this.#loading.promise;
  }

  /**
   * Asks a question as if the visitor had, and waits for the answer. Where the model is not
   * loaded, the visitor is asked first.
   *
   * @param {string} text
   * @returns {Promise<string>}
   */
  async ask(text) {
    const question = String(text).trim();
    if (question === "") return "";
    while (this.#answering) {
      if (!this.#answering.signal.aborted) throw new Error("<page-lm> is still answering; call stop() first.");
      // It was told to, and is about to.
      await this.#answered.promise;
    }
    const controller = new AbortController();
    this.#answering = controller;
    const answered = (this.#answered = promise());
    const turn = this.#view.turn(question);
    this.#emit("question", { text: question });
    try {
      if (!this.#lm) {
        if (!this.#isShown) this.open();
        turn.say(""); // it waits for the model
        await Promise.race([this.#prepare(), aborted(controller.signal)]);
        await Promise.race([this.load(), aborted(controller.signal)]);
      }
      const answer = await this.#conversation.ask(this.#lm, question, this.#settings(), {
        signal: controller.signal,
        onProgress: (share) => turn.reading(share),
        onText: (sofar) => turn.say(sofar),
      });
      turn.end(answer.text, answer);
      this.#emit("answer", answer);
      return answer.text;
    } catch (error) {
      // A model that goes ends the answer as well.
      const stopped = error.name === "AbortError" || controller.signal.aborted;
      turn.fail(stopped ? this.#words().stopped : error.message);
      if (!stopped) this.#emit("error", { error });
      throw error;
    } finally {
      this.#answering = null;
      this.#view.answering(false);
      answered.resolve();
    }
  }

  /** What the visitor can do. */
  #actions() {
    return {
      toggle: () => this.toggle(),
      close: () => this.close(),
      clear: () => this.clear(),
      ask: (text) => void this.ask(text).catch(() => {}),
      stop: () => this.stop(),
      agree: () => this.load().catch(() => {}),
      decline: () => this.#decline(),
      cancel: () => this.#loading?.controller.abort(),
    };
  }

  get #isShown() {
    return this.hasAttribute("inline") || this.hasAttribute("open");
  }

  #words() {
    return { ...LABELS, ...this.labels };
  }

  #settings() {
    return {
      system: this.getAttribute("system"),
      context: this.getAttribute("context"),
      max_tokens: this.#number("max-tokens") ?? MAX_TOKENS,
      // What is grounded in a page should say what the page says.
      temperature: this.#number("temperature") ?? 0,
    };
  }

  #number(name) {
    const value = this.getAttribute(name);
    return value === null || !Number.isFinite(Number(value)) ? null : Number(value);
  }

  /** Makes the page show what the attributes say. */
  #refresh() {
    this.#view.refresh({
      open: this.#isShown,
      inline: this.hasAttribute("inline"),
      heading: this.getAttribute("heading"),
      placeholder: this.getAttribute("placeholder"),
      greeting: this.#conversation.messages.length === 0 ? this.getAttribute("greeting") : null,
      suggestions: this.#conversation.messages.length === 0 ? (this.getAttribute("suggestions") ?? "").split("|").map((text) => text.trim()).filter(Boolean) : [],
    });
  }

  /** Tells the visitor what is to be downloaded, unless that has been done. Resolves when they agree. */
  async #prepare() {
    if (this.#lm || this.#loading) return;
    let consent = this.#consent;
    if (!consent) {
      consent = this.#consent = promise();
      consent.promise.catch(() => {});
      this.#inform(consent);
    }
    await consent.promise;
  }

  async #inform(consent) {
    const current = () => this.#consent === consent && !this.#lm && !this.#loading;
    try {
      const model = this.getAttribute("model");
      if (!model) throw new Error("<page-lm> needs the attribute `model`: the address of a .gguf file.");
      const about = await describe(model, this.#number("size"));
      if (current()) this.#view.askConsent({ ...about, size: about.bytes === null ? null : bytes(about.bytes) });
    } catch (error) {
      consent.reject(error);
      if (!current()) return;
      this.#consent = null; // another model may be asked for
      this.#view.fail(error.message, false);
    }
  }

  /** Prepares once there is somebody to see it: for a chat far down a page no server is asked. */
  #offer() {
    this.#sight.disconnect();
    if (!this.isConnected || !this.#isShown) return;
    // The panel, not the element: without its style that lies where it will not stay.
    if (this.hasAttribute("inline")) this.#sight.observe(this.#view.panel);
    else this.#prepare().catch(() => {});
  }

  #decline() {
    this.stop();
    this.#consent = null; // who asks again is asked again
    this.#emit("decline");
    if (this.hasAttribute("inline")) this.#view.dismiss();
    else this.close();
  }

  #start() {
    const controller = new AbortController();
    const model = this.getAttribute("model") ?? "";
    // What is no address the library refuses with a reason.
    const url = URL.canParse(model, document.baseURI) ? new URL(model, document.baseURI).href : model;
    const options = {};
    for (const [name, option] of [["threads", "threads"], ["context-length", "context"]]) {
      const value = this.#number(name);
      if (value !== null) options[option] = value;
    }
    const tokenizer = this.getAttribute("tokenizer");
    if (tokenizer) options.tokenizer = tokenizer;
    const onProgress = (progress) => {
      this.#view.progress(progress);
      this.#emit("progress", progress);
    };
    this.#emit("consent");
    this.#view.progress({ phase: "download", loaded: 0, total: null });
    const load = async () => {
      try {
        const lm = await acquire(url, options, onProgress, controller.signal);
        if (!this.isConnected || controller.signal.aborted) {
          release(url, options);
          throw new DOMException("The model is not wanted any more.", "AbortError");
        }
        this.#lm = lm;
        this.#key = [url, options];
        this.#view.loaded();
        this.#emit("ready", { info: lm.info });
      } catch (error) {
        this.#consent = null;
        this.#loading = null;
        if (error.name === "AbortError" || controller.signal.aborted) {
          if (!this.#isShown) this.#view.dismiss();
          this.#offer();
        } else {
          this.#view.fail(error.message, true);
          this.#emit("error", { error });
        }
        throw error;
      }
      this.#loading = null;
    };
    return { promise: load(), controller };
  }

  /** Begins anew with the model that the attribute names now. */
  #changeModel() {
    this.stop();
    this.#consent?.reject(new DOMException("Another model has been chosen.", "AbortError"));
    this.#consent = null;
    // It asks for the new one's consent when it has ended.
    if (this.#loading) return this.#loading.controller.abort();
    this.#unload();
    this.#view.dismiss();
    this.#offer();
  }

  #unload() {
    if (!this.#lm) return;
    release(...this.#key);
    this.#lm = null;
    this.#consent = null;
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(`page-lm-${type}`, { detail, bubbles: true, composed: true }));
  }
}

function promise() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

function aborted(signal) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("Stopped.", "AbortError")), { once: true }));
}

if (!customElements.get("page-lm")) customElements.define("page-lm", PageLMElement);
