// Sessions that survive: what is in the KV cache, kept in IndexedDB by a name.
//
// The database is one of its own, so that sessions and models are deleted apart from each
// other. HEADS: id → what a session is; PARTS: [id, generation, layer] → bytes. A head is
// written last, and names the generation of its parts: what it does not name is left over.

import { PageLMError, aborted, badRequest } from "./errors.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { abortSignal, object } from "./request.js";

const DATABASE = "pagelm-sessions";
const HEADS = "heads";
const PARTS = "parts";

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
    const generation = `${Date.now()}-${Math.random()}`;
    const database = await open();
    try {
      const writes = [];
      let bytes = 0;
      const onAnswer = (answer) => {
        if (answer.type !== ANSWER.PART) return;
        bytes += answer.bytes.byteLength;
        writes.push(transact(database, "readwrite", (stores) => stores(PARTS).put(answer.bytes, [id, generation, answer.index])));
        // Its failure is found below; until then it is nobody's.
        writes.at(-1).catch(() => {});
      };
      const { model, build, tokens, layers } = await this.#engine.request({ type: REQUEST.SAVE }, { signal, onAnswer });
      await Promise.all(writes);
      const head = { id, generation, name: this.#model, model, build, tokens, layers, bytes, data, saved: Date.now() };
      await transact(database, "readwrite", (stores) => {
        stores(HEADS).put(head);
        deleteParts(stores(PARTS), id, generation);
      });
      return info(head);
    } catch (error) {
      await transact(database, "readwrite", (stores) => stores(PARTS).delete(range([id, generation]))).catch(() => {});
      throw typed(error);
    } finally {
      database.close();
    }
  }

  /** Puts what was saved back into the cache: a prompt that begins so goes on from there. */
  async restore(id, options = {}) {
    check(id);
    const { signal } = object("options", options);
    const database = await open();
    let head;
    let parts;
    try {
      // In one transaction: a save in between would delete the parts that the head names.
      const read = await transact(database, "readonly", (stores) => {
        const results = { head: stores(HEADS).get(id) };
        results.head.onsuccess = () => {
          const { generation } = results.head.result ?? {};
          if (generation !== undefined) results.parts = stores(PARTS).getAll(range([id, generation]));
        };
        return results;
      });
      head = read.head.result;
      if (!head) throw new PageLMError("session_not_found", `There is no saved session "${id}". Save one first.`, { id });
      parts = read.parts.result;
    } catch (error) {
      throw typed(error);
    } finally {
      database.close();
    }
    const { model, build, tokens, layers } = head;
    const { refilled } = await this.#engine.request({ type: REQUEST.RESTORE, model, build, tokens, layers, parts }, { signal: abortSignal(signal) });
    return { ...info(head), data: head.data, refilled };
  }

  /** What is saved, the newest first. */
  async list() {
    const database = await open();
    try {
      const { heads } = await transact(database, "readonly", (stores) => ({ heads: stores(HEADS).getAll() }));
      return heads.result.sort((a, b) => b.saved - a.saved).map(info);
    } catch (error) {
      throw typed(error);
    } finally {
      database.close();
    }
  }

  /** Deletes a session; one that is not there as well. */
  async remove(id) {
    check(id);
    await alone(id, undefined, async () => {
      const database = await open();
      try {
        await transact(database, "readwrite", (stores) => {
          stores(HEADS).delete(id);
          stores(PARTS).delete(range([id]));
        });
      } catch (error) {
        throw typed(error);
      } finally {
        database.close();
      }
    });
  }
}

/**
 * What `act` brings, while nobody else of this origin writes the session: each save deletes
 * what the others have written.
 */
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

/** Keys that begin so: arrays sort after everything else. */
function range(prefix) {
  return IDBKeyRange.bound(prefix, [...prefix, []]);
}

/** Deletes the parts of a session but those of one generation. */
function deleteParts(store, id, kept) {
  store.delete(IDBKeyRange.bound([id], [id, kept], false, true));
  store.delete(IDBKeyRange.bound([id, kept, []], [id, []]));
}

function open() {
  return new Promise((resolve, reject) => {
    let request;
    try {
      request = indexedDB.open(DATABASE, 1);
    } catch (error) {
      return reject(typed(error)); // an opaque origin has no store
    }
    request.onupgradeneeded = () => {
      request.result.createObjectStore(HEADS, { keyPath: "id" });
      request.result.createObjectStore(PARTS);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(typed(request.error));
  });
}

/** What `issue` returns, once the transaction is complete. */
function transact(database, mode, issue) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction([HEADS, PARTS], mode);
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
