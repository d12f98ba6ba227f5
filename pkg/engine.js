// A loaded model's worker, which is made anew when it has crashed.

import { Connection } from "./connection.js";
import { aborted } from "./errors.js";

export class Engine {
  #connection;
  /** The message that loads the model. */
  #load;
  /** While it is loaded again: a promise. */
  #loading = null;
  #closed = false;

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
    if (this.#connection.crashed && !this.#closed) await this.#reload();
    return this.#connection.request(message, options);
  }

  close() {
    this.#closed = true;
    this.#connection.close();
  }

  #reload() {
    this.#loading ??= Engine.load(this.#load)
      .then(({ engine }) => {
        this.#connection = engine.#connection;
        if (this.#closed) this.#connection.close();
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
