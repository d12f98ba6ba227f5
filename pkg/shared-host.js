// The engine in the tab that owns it, and the tabs that take turns on it: the owner's
// side of shared.js.

import { PageLMError } from "./errors.js";
import { ANSWER, REQUEST } from "./protocol.js";

/** Requests that leave their own tokens in the cache. */
const CACHED = new Set([REQUEST.COMPLETE, REQUEST.SCORE, REQUEST.RANK, REQUEST.RESTORE, REQUEST.PROFILE]);

export class SharedHost {
  #engine;
  /** client → { number, requests: id → { controller, tell, told } } */
  #clients = new Map();
  #lastNumber = 0;
  /** Whose tokens are in the cache: the worker's answers come in the order of its work. */
  #cachedBy = null;

  constructor(engine) {
    this.#engine = engine;
  }

  isNew(client) {
    return !this.#clients.has(client);
  }

  async ask(client, id, message, answer) {
    if (this.isNew(client)) this.#clients.set(client, { number: ++this.#lastNumber, requests: new Map() });
    const { number, requests } = this.#clients.get(client);
    const controller = new AbortController();
    // What is told of it before it has begun waits.
    const told = [];
    const request = { controller, tell: (more) => told.push(more) };
    requests.set(id, request);
    const onStart = (tell) => {
      for (const more of told) tell(more);
      request.tell = tell;
    };
    const hear = (part) => {
      // One that waits for its turn has changed nothing yet.
      if (CACHED.has(message.type) && part.phase !== "queued") this.#cachedBy = client;
      // What is another's in the cache is not told.
      const displaced = message.type === REQUEST.SAVE && this.#cachedBy !== client;
      if (!displaced) answer(part);
      else if (part.type === ANSWER.DONE) answer(ending(sessionDisplaced()));
    };
    // The worker gives turns by this number.
    const options = { signal: controller.signal, onAnswer: hear, onStart };
    await this.#engine.request({ ...message, client: number }, options).then(hear, (error) => answer(ending(error)));
    requests.delete(id);
  }

  tell(client, id, message) {
    this.#clients.get(client)?.requests.get(id)?.tell(message);
  }

  abort(client, id) {
    this.#clients.get(client)?.requests.get(id)?.controller.abort();
  }

  /** A client has gone: nobody waits for its answers. */
  forget(client) {
    for (const { controller } of this.#clients.get(client)?.requests.values() ?? []) controller.abort();
    this.#clients.delete(client);
  }

  close() {
    this.#engine.close();
  }
}

/** The answer that ends a request with this error. */
function ending({ code, message, data }) {
  return code === "aborted" ? { type: ANSWER.ABORTED } : { type: ANSWER.ERROR, code, message, data };
}

function sessionDisplaced() {
  const message = "What is in the model's cache is not this page's: nothing has been asked here since another tab asked. Save right after an answer, or load with `shared: false`.";
  return new PageLMError("session_displaced", message, {});
}
