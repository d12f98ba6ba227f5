// One engine for all tabs of an origin that load the same model in the same way.
//
// A Web Lock elects the tab that runs it: whoever holds the lock owns the engine.
// The others wait for the lock, and until they get it they ask the owner over a
// BroadcastChannel. When the owner's tab is closed, the browser passes the lock
// on, and the next tab loads the model from the store. Every tab holds a lock of
// its own as well, by which the owner learns that it has gone. A tab whose owner
// says nothing for some seconds loads the model for itself.
//
// Messages: HELLO { from }, which the owner answers; OWNER { owner, loaded }, loaded being null as long as
// it loads; PROGRESS { owner, answer }; ASK { owner, from, id, message };
// TELL { owner, from, id, message }, more about a request; ABORT { owner, from, id }; ANSWER { owner, to, id, answer }; GONE { owner }.

import { PageLMError, aborted, unloaded } from "./errors.js";
import { ANSWER } from "./protocol.js";
import { SharedHost } from "./shared-host.js";

const HELLO = "hello";
const OWNER = "owner";
const PROGRESS = "progress";
const ASK = "ask";
const TELL = "tell";
const ABORT = "abort";
const REPLY = "answer";
const GONE = "gone";
/** After so long without a word the owner is taken for dead: a page that is frozen, or that hangs. */
const SILENT_MS = 5000;

/** Whether this page can share: without HTTPS there are no locks, and with site data blocked they are refused. */
export async function canShare() {
  try {
    await navigator.locks.query();
    return typeof BroadcastChannel === "function";
  } catch {
    return false;
  }
}

/** An engine that may run in another tab. As `Engine` to its users. */
export class SharedEngine {
  #id = crypto.randomUUID();
  #channel;
  #key;
  #start;
  /** Hears of the load, until it is done. */
  #onAnswer = null;
  /** Ends the engine that runs here, and the wait for the lock. */
  #leave = new AbortController();
  /** Ends the wait for the lock alone. */
  #queue = new AbortController();
  /** Whether the owner has said anything since it was last asked. */
  #heard = false;
  #patience;
  /** Releases this tab's own lock. */
  #gone;
  /** The tab that owns the engine, if it is known: its id, and what it has loaded. */
  #owner = null;
  #loaded = null;
  /** The engine, if it runs here. */
  #host = null;
  /** Requests that have not ended, by their id. */
  #pending = new Map();
  #lastId = 0;
  #ended = null;
  #opened;

  /**
   * @param {string} key  the same for all that may share
   * @param {(options: { signal: AbortSignal, onAnswer: (answer: object) => void }) => Promise<{ engine: Engine, loaded: object }>} start
   *   loads the model in this tab
   */
  constructor(key, start) {
    this.#key = `pagelm:engine:${key}`;
    this.#start = start;
  }

  /**
   * Resolves with what is loaded, here or in another tab.
   *
   * @throws {PageLMError}
   */
  async open({ signal, onAnswer }) {
    if (signal?.aborted) throw aborted(signal);
    this.#onAnswer = onAnswer;
    const opened = new Promise((resolve, reject) => (this.#opened = { resolve, reject }));
    // It may fail while nobody waits for it yet.
    opened.catch(() => {});
    const abort = () => this.#end(() => aborted(signal));
    signal?.addEventListener("abort", abort);
    try {
      await this.#hold();
      if (this.#ended) return await opened;
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      this.#channel.postMessage({ type: HELLO, from: this.#id });
      this.#elect();
      this.#watch();
      return await opened;
    } finally {
      // A later load, when this tab takes over, is nobody's to hear of.
      this.#onAnswer = null;
      signal?.removeEventListener("abort", abort);
    }
  }

  /** As `Connection.request`. */
  request(message, { signal, onAnswer, onStart } = {}) {
    if (this.#ended) return Promise.reject(this.#ended());
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const request = { id, message, onAnswer, onStart, signal, sentTo: null, begun: false };
      const abort = () => this.#abort(request);
      const release = () => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", abort);
      };
      request.resolve = (value) => (release(), resolve(value));
      request.reject = (error) => (release(), reject(error));
      signal?.addEventListener("abort", abort);
      this.#pending.set(id, request);
      this.#send(request);
    });
  }

  /** Leaves the engine to the others; what is pending fails as `unloaded`. */
  close() {
    this.#end(unloaded);
  }

  /** Holds this tab's own lock as long as it lives. */
  #hold() {
    return new Promise((resolve, reject) => {
      const held = () => {
        resolve();
        if (this.#ended) return undefined;
        return new Promise((release) => (this.#gone = release));
      };
      navigator.locks.request(`${this.#key}:${this.#id}`, held).catch(reject);
    });
  }

  /** Waits to own the engine, and runs it then. */
  #elect() {
    const { signal } = this.#queue;
    navigator.locks
      .request(this.#key, { signal }, async () => {
        if (!this.#ended && !signal.aborted) await this.#own();
      })
      .catch((error) => {
        if (!signal.aborted) this.#end(() => new PageLMError("internal", `pagelm failed inside: ${error}. Please report this with the model's name.`, { what: String(error) }));
      });
  }

  /** As long as this tab waits for the owner, sees to it that there is one that answers. */
  #watch() {
    if (this.#patience !== undefined) return;
    this.#heard = false;
    this.#post({ type: HELLO, from: this.#id });
    // A tab in the background is late with its timers, but what it was sent is there before.
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      const waits = !this.#loaded || this.#pending.size > 0;
      if (this.#ended || this.#owner === this.#id || !waits) return;
      if (this.#heard) this.#watch();
      else this.#standAlone();
    }, SILENT_MS);
  }

  /** Goes on with an engine of this tab's own, which nobody shares. */
  #standAlone() {
    this.#queue.abort();
    // Should the owner come back, it forgets what was asked of it.
    this.#gone?.();
    this.#channel?.close();
    this.#channel = null;
    this.#own();
  }

  /** Loads the model and serves it until the end. */
  async #own() {
    this.#follow(this.#id, null);
    this.#post({ type: OWNER, owner: this.#id, loaded: null });
    let last = 0;
    const onAnswer = (answer) => {
      this.#onAnswer?.(answer);
      // Others need not hear of every megabyte.
      if (Date.now() - last < 80) return;
      last = Date.now();
      this.#post({ type: PROGRESS, owner: this.#id, answer });
    };
    try {
      const { signal } = this.#leave;
      const { engine, loaded } = await this.#start({ signal, onAnswer });
      if (this.#ended) return engine.close();
      this.#host = new SharedHost(engine);
      this.#follow(this.#id, loaded);
      this.#post({ type: OWNER, owner: this.#id, loaded });
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    } catch (error) {
      // Another tab may fare better.
      this.#end(() => error);
    } finally {
      this.#post({ type: GONE, owner: this.#id });
    }
  }

  #receive(data) {
    if (data.owner !== undefined && data.owner === (this.#owner ?? data.owner)) this.#heard = true;
    switch (data.type) {
      case HELLO:
        if (this.#owner === this.#id) this.#post({ type: OWNER, owner: this.#id, loaded: this.#loaded });
        return;
      case OWNER:
        return this.#follow(data.owner, data.loaded);
      case PROGRESS:
        if (!this.#loaded) this.#onAnswer?.(data.answer);
        return;
      case GONE:
        if (data.owner === this.#owner) this.#follow(null, null);
        return;
      case ASK:
        if (data.owner === this.#id) this.#serve(data);
        return;
      case TELL:
        if (data.owner === this.#id) this.#host?.tell(data.from, data.id, data.message);
        return;
      case ABORT:
        if (data.owner === this.#id) this.#host?.abort(data.from, data.id);
        return;
      case REPLY:
        if (data.to === this.#id && data.owner === this.#owner) this.#answered(data.id, data.answer);
        return;
    }
  }

  /** Takes note of who owns the engine. What another has begun to answer is lost. */
  #follow(owner, loaded) {
    const moved = owner !== this.#owner;
    this.#owner = owner;
    this.#loaded = loaded;
    for (const request of [...this.#pending.values()].filter(({ sentTo }) => moved && sentTo !== null)) {
      if (request.begun) request.reject(engineMoved());
      // Nobody has heard anything of it: it is asked again.
      else request.sentTo = null;
    }
    if (!loaded) return;
    this.#opened.resolve(loaded);
    for (const request of this.#pending.values()) this.#send(request);
  }

  #send(request) {
    if (!this.#loaded || request.sentTo !== null) return;
    request.sentTo = this.#owner;
    if (!this.#host) this.#watch();
    const { id, message } = request;
    const to = { owner: this.#owner, from: this.#id, id };
    if (this.#host) this.#host.ask(this.#id, id, message, (answer) => this.#answered(id, answer));
    else this.#post({ type: ASK, ...to, message });
    request.onStart?.((more) => {
      if (this.#host) this.#host.tell(this.#id, id, more);
      else this.#post({ type: TELL, ...to, message: more });
    });
  }

  #abort(request) {
    if (request.sentTo === null) request.reject(aborted(request.signal));
    else if (this.#host) this.#host.abort(this.#id, request.id);
    else this.#post({ type: ABORT, owner: this.#owner, from: this.#id, id: request.id });
  }

  #answered(id, answer) {
    const request = this.#pending.get(id);
    if (!request) return;
    switch (answer.type) {
      case ANSWER.DONE:
        return request.resolve(answer);
      case ANSWER.ERROR:
        return request.reject(new PageLMError(answer.code, answer.message, answer.data));
      case ANSWER.ABORTED:
        return request.reject(aborted(request.signal));
      case ANSWER.DELTAS:
        request.begun = true;
        return request.onAnswer?.(answer);
      default:
        request.onAnswer?.(answer);
    }
  }

  #serve({ from, id, message }) {
    const host = this.#host;
    if (!host) return;
    const answer = (answer) => this.#post({ type: REPLY, owner: this.#id, to: from, id, answer });
    // Granted when that tab has gone.
    if (host.isNew(from)) navigator.locks.request(`${this.#key}:${from}`, () => host.forget(from));
    host.ask(from, id, message, answer);
  }

  #post(message) {
    // A closed channel has nobody to tell.
    if (!this.#ended || message.type === GONE) this.#channel?.postMessage(message);
  }

  #end(error) {
    if (this.#ended) return;
    this.#ended = error;
    this.#opened.reject(error());
    for (const request of [...this.#pending.values()]) request.reject(error());
    if (this.#owner === this.#id) this.#post({ type: GONE, owner: this.#id });
    // The lock passes on only when the worker and its memory are gone.
    this.#host?.close();
    clearTimeout(this.#patience);
    this.#queue.abort();
    this.#leave.abort();
    this.#gone?.();
    this.#channel?.close();
    this.#channel = null;
  }
}

function engineMoved() {
  const message = "The tab that ran the model was closed, and another one takes over. Ask again: nothing else is lost.";
  return new PageLMError("engine_moved", message, { retryable: true });
}
