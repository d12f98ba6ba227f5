// One engine for all tabs of an origin that load the same model in the same way.
//
// A Web Lock elects the tab that runs it: whoever holds the lock owns the engine.
// The others wait for the lock, and until they get it they ask the owner over a
// BroadcastChannel. When the owner's tab is closed, the browser passes the lock
// on, and the next tab loads the model from the store. Every tab holds a lock of
// its own as well, by which the owner learns that it has gone.
//
// Messages: HELLO { from }; OWNER { owner, loaded }, loaded being null as long as
// it loads; PROGRESS { owner, answer }; ASK { owner, from, id, message };
// ABORT { owner, from, id }; ANSWER { owner, to, id, answer }; GONE { owner }.

import { PageLMError, aborted } from "./errors.js";
import { FairQueue } from "./fair-queue.js";
import { ANSWER } from "./protocol.js";

const HELLO = "hello";
const OWNER = "owner";
const PROGRESS = "progress";
const ASK = "ask";
const ABORT = "abort";
const REPLY = "answer";
const GONE = "gone";

/** Whether this browser can share; pages without HTTPS have no locks. */
export function canShare() {
  return Boolean(globalThis.navigator?.locks) && typeof BroadcastChannel === "function";
}

/** A connection to an engine that may run in another tab. As `Connection` to its users. */
export class SharedConnection {
  #id = crypto.randomUUID();
  #channel;
  #key;
  #start;
  #onAnswer;
  /** Ends the wait for the engine's lock. */
  #leave = new AbortController();
  /** Releases this tab's own lock. */
  #gone;
  /** The tab that owns the engine, if it is known: its id, and what it has loaded. */
  #owner = null;
  #loaded = null;
  /** The engine, if it runs here. */
  #engine = null;
  /** Requests that have not ended, by their id. */
  #pending = new Map();
  #lastId = 0;
  #ended = null;
  #opened;

  /**
   * @param {string} key  the same for all that may share
   * @param {(onAnswer: (answer: object) => void, signal: AbortSignal) => Promise<{ connection: Connection, loaded: object }>} start
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
    this.#onAnswer = onAnswer;
    const opened = new Promise((resolve, reject) => (this.#opened = { resolve, reject }));
    const abort = () => this.#end(() => aborted(signal));
    signal?.addEventListener("abort", abort);
    try {
      await this.#hold();
      this.#channel = new BroadcastChannel(this.#key);
      this.#channel.onmessage = ({ data }) => this.#receive(data);
      this.#channel.postMessage({ type: HELLO, from: this.#id });
      this.#elect();
      return await opened;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** As `Connection.request`. */
  request(message, { signal, onAnswer } = {}) {
    if (this.#ended) return Promise.reject(this.#ended());
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const request = { id, message, onAnswer, signal, sentTo: null };
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
    this.#end(() => new PageLMError("unloaded", "The model has been unloaded. Load it again to go on."));
  }

  /** Holds this tab's own lock as long as it lives. */
  #hold() {
    return new Promise((resolve) => {
      navigator.locks.request(`${this.#key}:${this.#id}`, () => {
        resolve();
        return new Promise((release) => (this.#gone = release));
      });
    });
  }

  /** Waits to own the engine, and runs it then. */
  #elect() {
    const { signal } = this.#leave;
    navigator.locks
      .request(this.#key, { signal }, async () => {
        if (!this.#ended) await this.#own();
      })
      .catch((error) => {
        if (!signal.aborted) this.#end(() => new PageLMError("internal", `pagelm failed inside: ${error}. Please report this with the model's name.`, { what: String(error) }));
      });
  }

  /** Loads the model and serves it until the end. */
  async #own() {
    this.#follow(this.#id, null);
    this.#post({ type: OWNER, owner: this.#id, loaded: null });
    let last = 0;
    const report = (answer) => {
      this.#onAnswer?.(answer);
      // Others need not hear of every megabyte.
      if (Date.now() - last < 80) return;
      last = Date.now();
      this.#post({ type: PROGRESS, owner: this.#id, answer });
    };
    try {
      const { connection, loaded } = await this.#start(report, this.#leave.signal);
      if (this.#ended) return connection.close();
      this.#engine = new Engine(connection);
      this.#follow(this.#id, loaded);
      this.#post({ type: OWNER, owner: this.#id, loaded });
      const crash = await connection.ended;
      this.#end(crash);
    } catch (error) {
      // Another tab may fare better.
      this.#end(() => error);
    } finally {
      this.#post({ type: GONE, owner: this.#id });
    }
  }

  #receive(data) {
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
      case ABORT:
        if (data.owner === this.#id) this.#engine?.abort(data.from, data.id);
        return;
      case REPLY:
        if (data.to === this.#id && data.owner === this.#owner) this.#answered(data.id, data.answer);
        return;
    }
  }

  /** Takes note of who owns the engine. What another was asked is lost. */
  #follow(owner, loaded) {
    const moved = owner !== this.#owner;
    this.#owner = owner;
    this.#loaded = loaded;
    for (const request of [...this.#pending.values()]) {
      if (moved && request.sentTo !== null) request.reject(engineMoved());
    }
    if (!loaded) return;
    this.#opened.resolve(loaded);
    for (const request of this.#pending.values()) this.#send(request);
  }

  #send(request) {
    if (!this.#loaded || request.sentTo !== null) return;
    request.sentTo = this.#owner;
    const { id, message } = request;
    if (this.#engine) this.#engine.ask(this.#id, id, message, (answer) => this.#answered(id, answer));
    else this.#post({ type: ASK, owner: this.#owner, from: this.#id, id, message });
  }

  #abort(request) {
    if (request.sentTo === null) request.reject(aborted(request.signal));
    else if (this.#engine) this.#engine.abort(this.#id, request.id);
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
      default:
        request.onAnswer?.(answer);
    }
  }

  #serve({ from, id, message }) {
    const engine = this.#engine;
    if (!engine) return;
    const answer = (answer) => this.#post({ type: REPLY, owner: this.#id, to: from, id, answer });
    // Granted when that tab has gone.
    if (engine.isNew(from)) navigator.locks.request(`${this.#key}:${from}`, () => engine.forget(from));
    engine.ask(from, id, message, answer);
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
    this.#engine?.close();
    this.#leave.abort();
    this.#gone?.();
    this.#channel?.close();
    this.#channel = null;
  }
}

/** The engine in the tab that owns it: a worker, and the clients that take turns. */
class Engine {
  #connection;
  #queue = new FairQueue();
  /** client → id → what ends its request */
  #clients = new Map();

  constructor(connection) {
    this.#connection = connection;
  }

  isNew(client) {
    return !this.#clients.has(client);
  }

  ask(client, id, message, answer) {
    const requests = this.#clients.get(client) ?? new Map();
    this.#clients.set(client, requests);
    const controller = new AbortController();
    const { signal } = controller;
    const end = (last) => {
      if (requests.delete(id)) answer(last);
    };
    // One that still waits for its turn ends at once.
    requests.set(id, { abort: () => end({ type: ANSWER.ABORTED }) });
    this.#queue.push(client, async () => {
      if (!requests.has(id)) return;
      requests.set(id, controller);
      end(await this.#connection.request(message, { signal, onAnswer: answer }).catch(ending));
    });
  }

  abort(client, id) {
    this.#clients.get(client)?.get(id)?.abort();
  }

  /** A client has gone: nobody waits for its answers. */
  forget(client) {
    for (const request of [...(this.#clients.get(client)?.values() ?? [])]) request.abort();
    this.#clients.delete(client);
  }

  close() {
    this.#connection.close();
  }
}

/** The answer that ends a request with this error. */
function ending({ code, message, data }) {
  return code === "aborted" ? { type: ANSWER.ABORTED } : { type: ANSWER.ERROR, code, message, data };
}

function engineMoved() {
  const message = "The tab that ran the model was closed, and another one takes over. Ask again: nothing else is lost.";
  return new PageLMError("engine_moved", message, { retryable: true });
}
