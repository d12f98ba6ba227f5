// The models of all widgets on this page: widgets with the same model and options have one
// engine. Nothing here loads the library before it is asked to.

import { nameOf, toldOf } from "../about.js";

/** key → { promise, users }. */
const loaded = new Map();

/**
 * Loads a model, or joins one that is loaded or being loaded.
 *
 * @returns {Promise<object>} a PageLM; give it back with `release`
 */
export async function acquire(url, options, onProgress, signal) {
  const key = JSON.stringify([url, options]);
  let entry = loaded.get(key);
  if (!entry) {
    const made = { users: 0, listeners: new Set(), controller: new AbortController() };
    made.promise = load(url, options, made);
    // By then another may have its place.
    made.promise.catch(() => loaded.get(key) === made && loaded.delete(key));
    loaded.set(key, (entry = made));
  }
  entry.users++;
  entry.listeners.add(onProgress);
  const leave = () => release(url, options);
  signal?.addEventListener("abort", leave, { once: true });
  try {
    const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    return await Promise.race([entry.promise, aborted]);
  } finally {
    entry.listeners.delete(onProgress);
    signal?.removeEventListener("abort", leave);
  }
}

/** Ends a model that nobody uses any more. */
export function release(url, options) {
  const key = JSON.stringify([url, options]);
  const entry = loaded.get(key);
  if (!entry || --entry.users > 0) return;
  loaded.delete(key);
  entry.controller.abort();
  entry.promise.then((lm) => lm.unload()).catch(() => {});
}

async function load(url, options, { listeners, controller }) {
  const { PageLM } = await import("../pagelm.js");
  const onProgress = (progress) => listeners.forEach((listener) => listener(progress));
  return PageLM.load(url, { ...options, onProgress, signal: controller.signal });
}

/**
 * What is known of a model before anything is loaded: its name, bytes, host, and whether it is stored.
 *
 * @throws {Error} if `url` is no address
 */
export async function describe(url, size) {
  if (!URL.canParse(url, document.baseURI)) throw new Error(`“${url}” is not the address of a model.`);
  const address = new URL(url, document.baseURI);
  address.hash = "";
  const about = { name: nameOf(address), host: address.host, bytes: size, stored: false };
  const { models } = await import("../models.js");
  const found = await models().catch(() => []);
  const copy = found.find((model) => model.complete && model.url === address.href);
  if (copy) return { ...about, bytes: copy.bytes, stored: true };
  const told = await toldOf(address);
  return { ...about, ...told, bytes: size ?? told.bytes };
}

/** Bytes for people. */
export function bytes(n) {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${Math.round(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}
