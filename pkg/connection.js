// The page's end of the worker's port: requests out, answers in.

import { PageLMError, aborted, engineNotLoaded, internal, unloaded } from "./errors.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { startWorker } from "./worker-start.js";

/** Kept apart from the address below, which bundlers take for a file to copy. */
const HERE = import.meta.url;

/**
 * For so long its own files may bring nothing. Of its scripts nothing is heard before all are
 * there; of its binary, whenever bytes have come, or at its end where a service worker reads it
 * first. Counted in ticks: a page that was frozen meanwhile comes to one of them.
 */
const ARRIVAL_TICKS = 12;
const TICK_MS = 10_000;

/** A worker that does not say for so long that it lives has ended. */
const PATIENCE_MS = 500;

/** One worker, and the requests that it has not ended yet. */
export class Connection {
  #worker;
  #pending = new Map();
  #lastId = 0;
  /** Makes the error of whatever is asked after the end. */
  #ended = null;
  /** Runs while its own files are awaited. */
  #arrival;
  /** Ends the watch over the worker's life. */
  #watch = new AbortController();
  /** Runs while it is not known whether the worker lives. */
  #doubt;
  /** Whether it has ended by itself. */
  crashed = false;

  constructor() {
    try {
      const make = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "pagelm" });
      this.#worker = startWorker(make, new URL("./worker.js", HERE), "pagelm");
    } catch (error) {
      throw engineNotLoaded(error.message);
    }
    this.#worker.addEventListener("message", ({ data }) => this.#receive(data));
    this.#worker.addEventListener("messageerror", () => this.#crash("a message could not be read"));
    this.#worker.addEventListener("error", (event) => this.#failed(event));
    this.#awaitFiles();
  }

  /**
   * Sends a request and waits for its end.
   *
   * @param {{ type: string }} request      the message without its id
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]  ends the request
   * @param {(answer: object) => void} [options.onAnswer]  takes progress and deltas
   * @param {(tell: (message: object) => void) => void} [options.onStart] takes a function that
   *   tells the worker more about the request
   * @returns {Promise<object>} the message that ended it well
   * @throws {PageLMError}
   */
  request(request, { signal, onAnswer, onStart } = {}) {
    if (this.#ended) return Promise.reject(this.#ended());
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const tell = (message) => this.#worker.postMessage({ id, target: id, ...message });
      const abort = () => tell({ type: REQUEST.ABORT });
      const release = () => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", abort);
      };
      this.#pending.set(id, {
        onAnswer,
        signal,
        resolve: (value) => (release(), resolve(value)),
        reject: (error) => (release(), reject(error)),
      });
      signal?.addEventListener("abort", abort);
      this.#worker.postMessage({ ...request, id });
      onStart?.(tell);
    });
  }

  /** Ends the worker, and with it all memory; what is pending fails with `reason`. */
  close(reason = unloaded()) {
    this.#end(unloaded, reason);
  }

  #receive(answer) {
    if (answer.type === ANSWER.CRASHED) {
      this.#end(crashed, internal(answer.what));
      return;
    }
    if (answer.type === ANSWER.ALIVE) {
      this.#watchOver(answer.lock);
      return;
    }
    if (answer.type === ANSWER.ARRIVING) return this.#awaitFiles();
    if (answer.type === ANSWER.ARRIVED) return clearInterval(this.#arrival);
    const pending = this.#pending.get(answer.id);
    // An answer to a request that has ended: a token that was on its way.
    if (!pending) return;
    // Whoever answers is there: also a worker of an earlier version, out of the browser's cache.
    clearInterval(this.#arrival);
    switch (answer.type) {
      case ANSWER.DONE:
        return pending.resolve(answer);
      case ANSWER.ERROR:
        return pending.reject(new PageLMError(answer.code, answer.message, answer.data));
      case ANSWER.ABORTED:
        return pending.reject(aborted(pending.signal));
      default:
        pending.onAnswer?.(answer);
    }
  }

  /** A server that accepts a request and says nothing would be waited for for ever. */
  #awaitFiles() {
    clearInterval(this.#arrival);
    let ticks = 0;
    this.#arrival = setInterval(() => {
      if (++ticks === ARRIVAL_TICKS) this.#end(crashed, engineNotLoaded("nothing came for two minutes"));
    }, TICK_MS);
  }

  /** The worker holds a lock as long as it lives, however it ends: a browser may end it without a word. */
  #watchOver(lock) {
    clearTimeout(this.#doubt);
    const { signal } = this.#watch;
    navigator.locks.request(lock, { signal }, () => this.#suspect()).catch(() => {});
  }

  /** The lock is free: the worker has ended, or the browser has cleared the site's storage, and all locks with it. */
  #suspect() {
    this.#worker.postMessage({ type: REQUEST.PING });
    this.#doubt = setTimeout(() => this.#crash("the browser has ended it"), PATIENCE_MS);
  }

  /** An exception was not caught there; or, without a message, its script did not load. */
  #failed({ message }) {
    if (message) this.#crash(message);
    else this.#end(crashed, engineNotLoaded("the worker's script does not load"));
  }

  #crash(what) {
    this.#end(crashed, crashed(what));
  }

  #end(later, now) {
    if (this.#ended) return;
    this.#ended = later;
    this.crashed = later === crashed;
    this.#watch.abort();
    clearTimeout(this.#doubt);
    clearInterval(this.#arrival);
    this.#worker.terminate();
    for (const pending of [...this.#pending.values()]) pending.reject(now);
  }
}

function crashed(what) {
  const reason = what === undefined ? "" : ` (${what})`;
  return new PageLMError("worker_crashed", `The model's worker has stopped${reason}. The next request loads the model again.`, { what: what ?? "" });
}
