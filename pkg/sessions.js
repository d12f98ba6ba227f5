// Sessions that survive: what is in the KV cache, kept in IndexedDB by a name.
//
// The database is one of its own, so that sessions and models are deleted apart from each
// other. HEADS: id → what a session is; LAYERS: id → the bytes of all layers. As a Blob they
// are read by the worker alone, and pass through no page.

import { PageLMError, badRequest } from "./errors.js";
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
    const parts = [];
    const onAnswer = (answer) => {
      if (answer.type === ANSWER.PART) parts[answer.index] = new Blob([answer.bytes]);
    };
    const { model, build, tokens, layers } = await this.#engine.request({ type: REQUEST.SAVE }, { signal: abortSignal(signal), onAnswer });
    const blob = new Blob(parts);
    const head = { id, name: this.#model, model, build, tokens, layers, bytes: blob.size, data: copy, saved: Date.now() };
    const put = (bytes) => within("readwrite", (stores) => {
      stores(LAYERS).put(bytes, id); // first: where it throws, no head is written either
      stores(HEADS).put(head);
    });
    try {
      await put(blob);
    } catch (error) {
      if (error.code === "storage_full") throw error;
      await put(await blob.arrayBuffer()); // some private modes take no Blobs
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
    await within("readwrite", (stores) => {
      stores(HEADS).delete(id);
      stores(LAYERS).delete(id);
    });
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

/** What `issue` returns, once its transaction is complete. */
async function within(mode, issue) {
  let database;
  try {
    database = await open();
    return await transact(database, mode, issue);
  } catch (error) {
    throw typed(error);
  } finally {
    database?.close();
  }
}

function open() {
  return new Promise((resolve, reject) => {
    let request;
    try {
      request = indexedDB.open(DATABASE, 2);
    } catch (error) {
      return reject(error); // an opaque origin has no store
    }
    request.onupgradeneeded = ({ oldVersion }) => {
      const database = request.result;
      if (oldVersion === 0) database.createObjectStore(HEADS, { keyPath: "id" });
      else database.deleteObjectStore("parts"); // its sessions' tokens are computed again
      database.createObjectStore(LAYERS);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function transact(database, mode, issue) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction([HEADS, LAYERS], mode);
    const results = issue((name) => transaction.objectStore(name));
    transaction.oncomplete = () => resolve(results);
    transaction.onabort = () => reject(transaction.error);
  });
}

function typed(error) {
  if (error instanceof PageLMError) return error;
  const what = error?.message ?? "without a reason";
  if (error?.name === "QuotaExceededError") {
    return new PageLMError("storage_full", "There is no room in this browser for the session. Delete sessions or models, and save again.", { what }, { cause: error });
  }
  return new PageLMError("storage_unavailable", `This browser refuses to open its store of sessions (${what}). Leave private mode or allow site data.`, { what }, { cause: error });
}
