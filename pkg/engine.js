// A loaded model's worker, which is made anew when it has crashed.

import { Connection } from "./connection.js";
import { aborted, unloaded } from "./errors.js";

export class Engine {
  #connection;
  /** The message that loads the model. */
  #load;
  /** While it is loaded again: a promise. */
  #loading = null;
  /** Aborted when it is closed. */
  #end = new AbortController();

  constructor(connection, load) {
    this.#connection = connection;
    this.#load = load;
  }

  /**
   * Starts a worker and loads the model that the message names.
   *
   * @returns {Promise<{ engine: Engine, loaded: object }>} with the worker's answer
   * @throws {PageLMError}
   */
  static async load(message, options) {
    const connection = new Connection();
    try {
      const loaded = await first(connection, message, options);
      return { engine: new Engine(connection, message), loaded };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The answer to a single message, of a worker of its own. */
  static async ask(message, options) {
    const connection = new Connection();
    try {
      return await first(connection, message, options);
    } finally {
      connection.close();
    }
  }

  /** As `Connection.request`. After a crash the model is loaded again first, from the browser's store. */
  async request(message, options) {
    if (this.#end.signal.aborted) throw unloaded();
    if (this.#connection.crashed) await unlessAborted(this.#reload(), options?.signal);
    return this.#connection.request(message, options);
  }

  close() {
    this.#end.abort();
    this.#connection.close();
  }

  #reload() {
    const { signal } = this.#end;
    this.#loading ??= Engine.load(this.#load, { signal })
      .then(({ engine }) => {
        this.#connection = engine.#connection;
        if (signal.aborted) this.#connection.close();
      })
      .catch((error) => {
        throw signal.aborted ? unloaded() : error;
      })
      .finally(() => (this.#loading = null));
    return this.#loading;
  }
}

/**
 * A worker's first request. Until it has answered something it may be waiting for its own
 * files, and hears of no abort: then it is ended.
 */
async function first(connection, message, { signal, onAnswer } = {}) {
  const abort = () => connection.close(aborted(signal));
  const heard = (answer) => {
    signal?.removeEventListener("abort", abort);
    onAnswer?.(answer);
  };
  signal?.addEventListener("abort", abort);
  try {
    return await connection.request(message, { signal, onAnswer: heard });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** What a promise brings, unless the signal is aborted before: what others wait for goes on. */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  if (signal.aborted) return Promise.reject(aborted(signal));
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal));
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
