// Sessions that survive: what is in the KV cache, kept in IndexedDB by a name.
//
// The database is one of its own, so that sessions and models are deleted apart from each
// other. HEADS: id → what a session is; LAYERS: id → the bytes of all layers, a Blob, which the
// worker reads when they are restored.

import { PageLMError, aborted, badRequest } from "./errors.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { abortSignal, object } from "./request.js";

const DATABASE = "pagelm-sessions";
const HEADS = "heads";
const LAYERS = "layers";

/** `lm.sessions`. */
export class Sessions {
  #engine;
  #model;

  constructor(engine, model) {
    this.#engine = engine;
    this.#model = model;
  }

  /** Keeps what is in the cache now, under this name; `data` is kept beside it. */
  async save(id, options = {}) {
    check(id);
    const { data = null, signal } = object("options", options);
    const copy = cloned(data);
    return alone(id, abortSignal(signal), () => this.#save(id, copy, signal ?? undefined));
  }

  async #save(id, data, signal) {
    const parts = [];
    const onAnswer = (answer) => {
      if (answer.type === ANSWER.PART) parts[answer.index] = new Blob([answer.bytes]);
    };
    const { model, build, tokens, layers } = await this.#engine.request({ type: REQUEST.SAVE }, { signal, onAnswer });
    const blob = new Blob(parts);
    const head = { id, name: this.#model, model, build, tokens, layers, bytes: blob.size, data, saved: Date.now() };
    const database = await open();
    const put = (bytes) => transact(database, "readwrite", (stores) => {
      stores(LAYERS).put(bytes, id);
      stores(HEADS).put(head);
    });
    try {
      await put(blob).catch(async (error) => {
        if (error.code === "storage_full") throw error;
        // Some browsers, in private windows, keep no Blobs.
        await put(await blob.arrayBuffer().catch(() => Promise.reject(error)));
      });
    } finally {
      database.close();
    }
    return info(head);
  }

  /** Puts what was saved back into the cache: a prompt that begins so goes on from there. */
  async restore(id, options = {}) {
    check(id);
    const { signal } = object("options", options);
    // In one transaction: both of one save.
    const read = await within("readonly", (stores) => ({ head: stores(HEADS).get(id), layers: stores(LAYERS).get(id) }));
    const head = read.head.result;
    if (!head) throw new PageLMError("session_not_found", `There is no saved session "${id}". Save one first.`, { id });
    const { model, build, tokens, layers } = head;
    const bytes = new Blob(read.layers.result ? [read.layers.result] : []);
    const { refilled } = await this.#engine.request({ type: REQUEST.RESTORE, model, build, tokens, layers, bytes }, { signal: abortSignal(signal) });
    return { ...info(head), data: head.data, refilled };
  }

  /** What is saved, the newest first. */
  async list() {
    const { heads } = await within("readonly", (stores) => ({ heads: stores(HEADS).getAll() }));
    return heads.result.sort((a, b) => b.saved - a.saved).map(info);
  }

  /** Deletes a session; one that is not there as well. */
  async remove(id) {
    check(id);
    await alone(id, undefined, () => within("readwrite", (stores) => {
      stores(HEADS).delete(id);
      stores(LAYERS).delete(id);
    }));
  }
}

/** What `act` brings, in its turn among all tabs: what is removed after a save has begun stays removed. */
async function alone(id, signal, act) {
  if (signal?.aborted) throw aborted(signal);
  let begun = false;
  const hold = () => {
    begun = true;
    return act();
  };
  try {
    return await navigator.locks.request(`pagelm-session:${id}`, { signal }, hold);
  } catch (error) {
    if (begun) throw error;
    if (signal?.aborted) throw aborted(signal);
    return act(); // there are no locks here
  }
}

function info({ id, name, tokens, bytes, saved }) {
  return { id, model: name, tokens: tokens.length, bytes, saved };
}

function check(id) {
  if (typeof id !== "string" || id === "") throw badRequest("the name of a session must be a text");
}

/** `data` as the store will keep it: what cannot be kept is refused before anything is written. */
function cloned(data) {
  try {
    return structuredClone(data);
  } catch (error) {
    throw badRequest(`\`data\` cannot be stored (${error.message})`);
  }
}

/** As `transact`, with a connection of its own. */
async function within(mode, issue) {
  const database = await open();
  try {
    return await transact(database, mode, issue);
  } finally {
    database.close();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    let request;
    try {
      request = indexedDB.open(DATABASE, 2);
    } catch (error) {
      return reject(typed(error)); // an opaque origin has no store
    }
    request.onupgradeneeded = ({ oldVersion }) => {
      const database = request.result;
      if (oldVersion === 0) database.createObjectStore(HEADS, { keyPath: "id" });
      else database.deleteObjectStore("parts"); // its sessions' tokens are computed again
      database.createObjectStore(LAYERS);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(typed(request.error));
  });
}

/** What `issue` returns, once all that it asked for is done; if it throws, nothing is. */
async function transact(database, mode, issue) {
  let transaction;
  try {
    transaction = database.transaction([HEADS, LAYERS], mode);
    const results = issue((name) => transaction.objectStore(name));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return results;
  } catch (error) {
    try {
      transaction?.abort();
    } catch {
      // It has ended.
    }
    throw typed(error);
  }
}

function typed(error) {
  if (error instanceof PageLMError) return error;
  const what = error?.message ?? "without a reason";
  if (error?.name === "DataCloneError") return badRequest(`\`data\` cannot be stored (${what})`);
  if (error?.name === "QuotaExceededError") {
    return new PageLMError("storage_full", "There is no room in this browser for the session. Delete sessions or models, and save again.", { what }, { cause: error });
  }
  return new PageLMError("storage_unavailable", `This browser refuses to open its store of sessions (${what}). Leave private mode or allow site data.`, { what }, { cause: error });
}
