// The models that are stored in this browser, by their manifests in IndexedDB: no
// wasm, no worker. The names and values are those of src/store/schema.rs; who
// changes one changes the other.

import { PageLMError } from "./errors.js";
import { removeFiles, tidy } from "./files.js";

const DATABASE = "pagelm";
/** url → manifest of a complete model. */
const MODELS = "models";
/** [url, id] → manifest of what has been stored of an unfinished download. */
const DOWNLOADS = "downloads";
/** [url, id, index] → Blob, or ArrayBuffer. */
const RECORDS = "records";

/** Between a model's address and that of its tokenizer.json, in the name of the latter. */
const TOKENIZER = "#tokenizer=";

/** A model's name in the store: its absolute address, without a fragment. */
export function absoluteUrl(url) {
  const absolute = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  absolute.hash = "";
  return absolute.href;
}

/**
 * What is stored, the last used first.
 *
 * @returns {Promise<{ url: string, bytes: number, total: number | null, complete: boolean, last_used: number, storage: string }[]>}
 */
export async function models() {
  const [complete, unfinished] = await manifests();
  const list = [...complete.map((manifest) => entry(manifest, true)), ...unfinished.map((manifest) => entry(manifest, false))];
  return withTokenizers(list).sort((a, b) => b.last_used - a.last_used);
}

/** The bytes of a tokenizer.json count with its model: with what there is of it, if it is not whole. */
function withTokenizers(list) {
  const models = list.filter(({ url }) => !url.includes(TOKENIZER));
  for (const tokenizer of list.filter(({ url }) => url.includes(TOKENIZER))) {
    const [url] = tokenizer.url.split(TOKENIZER);
    const model = models.find((model) => model.url === url);
    if (!model) {
      models.push({ ...tokenizer, url, total: null, complete: false });
      continue;
    }
    model.bytes += tokenizer.bytes;
    if (model.total !== null) model.total += tokenizer.bytes;
  }
  return models;
}

/** Deletes a model, whatever an unfinished download has left of it, and its tokenizer.json. */
export async function remove(url) {
  const key = absoluteUrl(url);
  const tokenizer = key + TOKENIZER;
  // Arrays sort after numbers: every key that begins with the url lies between.
  const ranges = [
    [IDBKeyRange.only(key), IDBKeyRange.bound([key], [key, []])],
    [IDBKeyRange.bound(tokenizer, `${tokenizer}\uffff`), IDBKeyRange.bound([tokenizer], [`${tokenizer}\uffff`])],
  ];
  const removed = await transact("readwrite", (transaction) =>
    ranges.flatMap(([one, all]) => [
      transaction.objectStore(MODELS).getAll(one),
      transaction.objectStore(DOWNLOADS).getAll(all),
      transaction.objectStore(MODELS).delete(one),
      transaction.objectStore(DOWNLOADS).delete(all),
      transaction.objectStore(RECORDS).delete(all),
    ]),
  );
  await removeFiles(inFiles((removed ?? []).flatMap((found) => found ?? [])));
  await tidyFiles();
}

/** Deletes the files of models that are not stored any more. Does not fail. */
export async function tidyFiles() {
  // What cannot be deleted now is deleted another time.
  await tidy(async () => inFiles((await manifests()).flat())).catch(() => {});
}

/** The ids of those whose records are in a file. */
function inFiles(manifests) {
  return manifests.filter(({ backend }) => backend === "opfs").map(({ id }) => id);
}

/** Of complete models, and of unfinished downloads. */
async function manifests() {
  const stored = await transact("readonly", (transaction) => [
    transaction.objectStore(MODELS).getAll(),
    transaction.objectStore(DOWNLOADS).getAll(),
  ]);
  return stored ?? [[], []];
}

/** How much room this origin has. With `persist`, asks the browser to keep what is stored. */
export async function storage({ persist = false } = {}) {
  // Absent outside secure contexts; a refusal changes nothing.
  const manager = globalThis.navigator?.storage;
  const [{ usage, quota } = {}, persisted] = await Promise.all([
    manager?.estimate?.().catch(() => undefined),
    (persist ? manager?.persist?.() : manager?.persisted?.())?.catch(() => false),
  ]);
  return { usage: usage ?? null, quota: quota ?? null, persisted: persisted ?? false };
}

function entry({ url, bytes, total, last_used, backend = "indexeddb" }, complete) {
  return { url, bytes, total: total ?? (complete ? bytes : null), complete, last_used, storage: backend };
}

/** Results of the requests that `issue` makes in one transaction; null if there is no database. */
async function transact(mode, issue) {
  let database = null;
  try {
    database = await open();
    if (database === null) return null;
    const transaction = database.transaction([MODELS, DOWNLOADS, RECORDS], mode);
    const requests = issue(transaction);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return requests.map((request) => request.result);
  } catch (error) {
    throw unavailable(error);
  } finally {
    database?.close();
  }
}

/** The database, or null if no model has ever been stored: the worker makes it, not we. */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE);
    let absent = false;
    request.onupgradeneeded = () => {
      absent = true;
      request.transaction.abort();
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => (absent ? resolve(null) : reject(request.error));
  });
}

function unavailable(error) {
  const what = error?.message ?? "without a reason";
  return new PageLMError(
    "storage_unavailable",
    `This browser refuses to open its store of models (${what}). Leave private mode or allow site data.`,
    { what },
    { cause: error },
  );
}
