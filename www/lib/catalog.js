// Which model this page is about: the one in ?model=URL, else the one last used,
// else models.json's default.

import { recall } from "./preferences.js";

/**
 * @typedef {object} Model
 * @property {string} url      absolute address of the .gguf file
 * @property {string} name     full name
 * @property {string} short    name for the conversation
 * @property {number} [bytes]  size of the file, where known
 * @property {string} [sha256] digest of the file, where known
 * @property {string} [licence] SPDX name
 * @property {string} [source] page about the model
 * @property {number} [memory] bytes of memory that it takes, where known
 * @property {string} [system] prompt that suits it, where the reader gives none
 * @property {{ architecture: string, parameters: number, quantization: string }} [kind] what its header says
 * @property {boolean} [local] whether it is a file of this device, for as long as the page is open
 */

/**
 * The model to show, without its size where only the server knows that.
 * @returns {Promise<Model>}
 */
export async function chosenModel(location = window.location) {
  const asked = new URLSearchParams(location.search).get("model")?.trim();
  if (asked) return modelAt(asked, location.href);
  const last = recall("model");
  return last ? modelAt(last, location.href).catch(defaultModel) : defaultModel();
}

/**
 * The model at an address, which may be relative to `base`.
 * @returns {Promise<Model>}
 */
export async function modelAt(address, base = window.location.href) {
  const url = absolute(address, base);
  return (await listed()).find((model) => model.url === url) ?? unlisted(url);
}

/** A file of this device as a model. Who is done with it calls `URL.revokeObjectURL`, as Host does. */
export function localModel(file) {
  const name = file.name.replace(/\.gguf$/i, "");
  return { url: URL.createObjectURL(file), name, short: shortOf(name), bytes: file.size, local: true };
}

/** The model that needs no `?model=`. */
export async function defaultModel() {
  const list = await listed();
  return list.find(({ id }) => id === list.defaultId);
}

/** Adds to a model what is told of it beforehand: its bytes, and of a `pagelm.json` name and licence as well. */
export async function complete(model) {
  if (model.bytes !== undefined) return;
  const { bytes, name, licence } = await (await about()).toldOf(model.url);
  if (bytes !== null) model.bytes = bytes;
  if (name) Object.assign(model, { name, short: shortOf(name) });
  if (licence) model.licence = licence;
}

/** All that an address tells of a model that is not listed. */
export async function nameOf(url) {
  return (await about()).nameOf(url);
}

/** Not at the top: that the package is not there is told by the page itself. */
function about() {
  return import("../pkg/about.js");
}

/** Where a file comes from, in words: this site, or an address elsewhere. */
export function originOf(url) {
  const { host, origin, pathname, protocol } = new URL(url);
  if (protocol === "blob:") return "this device";
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

/** The models that this site offers. */
export async function listed() {
  const address = new URL("../models.json", import.meta.url);
  const { default: defaultId, models } = await (await fetch(address)).json();
  const list = models.map(({ file, ...model }) => ({ ...model, url: new URL(file, address).href }));
  list.defaultId = defaultId;
  return list;
}

async function unlisted(url) {
  const name = await nameOf(url);
  return { url, name, short: shortOf(name) };
}

function shortOf(name) {
  return name.split(/[-_. ]/)[0] || name;
}
