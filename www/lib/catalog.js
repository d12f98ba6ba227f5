// Which model this page is about: the one in ?model=URL, else models.json's default.

/**
 * @typedef {object} Model
 * @property {string} url      absolute address of the .gguf file
 * @property {string} name     full name
 * @property {string} short    name for the conversation
 * @property {number} [bytes]  size of the file, where known
 * @property {string} [sha256] digest of the file, where known
 * @property {string} [licence] SPDX name
 * @property {string} [source] page about the model
 * @property {object} [sampling] request fields that suit it
 */

const HEAD_TIMEOUT_MS = 4000;

/**
 * The model to show, without its size where only the server knows that.
 * @returns {Promise<Model>}
 */
export async function chosenModel(location = window.location) {
  const asked = new URLSearchParams(location.search).get("model")?.trim();
  if (!asked) return defaultModel();
  const url = absolute(asked, location.href);
  return (await listed()).find((model) => model.url === url) ?? unlisted(url);
}

/** The model that needs no `?model=`. */
export async function defaultModel() {
  const list = await listed();
  return list.find(({ id }) => id === list.defaultId);
}

/** Bytes of a file by a HEAD request; undefined where the server does not tell. */
export async function sizeOf(url) {
  try {
    const answer = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(HEAD_TIMEOUT_MS) });
    const length = Number(answer.headers.get("Content-Length"));
    return answer.ok && length > 0 ? length : undefined;
  } catch {
    return undefined;
  }
}

/** The file's name without its ending: all we know of a model that is not listed. */
export function nameOf(url) {
  const file = decoded(new URL(url).pathname.split("/").at(-1));
  return file.replace(/\.gguf$/i, "") || new URL(url).host;
}

/** Without %-escapes, where they are whole. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where a file comes from, in words: this site, or an address elsewhere. */
export function originOf(url) {
  const { host, origin, pathname } = new URL(url);
  return origin === window.location.origin ? `this site (${host})` : host + pathname;
}

function absolute(address, base) {
  if (URL.canParse(address, base)) {
    const url = new URL(address, base);
    // The store knows models by their address without it.
    url.hash = "";
    return url.href;
  }
  const error = new Error(`“${address}” is not an address. It should look like https://example.org/model.gguf.`);
  error.code = "bad_address";
  throw error;
}

async function listed() {
  const address = new URL("../models.json", import.meta.url);
  const { default: defaultId, models } = await (await fetch(address)).json();
  const list = models.map(({ file, ...model }) => ({ ...model, url: new URL(file, address).href }));
  list.defaultId = defaultId;
  return list;
}

function unlisted(url) {
  const name = nameOf(url);
  return { url, name, short: name.split(/[-_. ]/)[0] || name };
}
