// What is known of a model before anything of it is loaded: its name, and its size.

/** A server that says nothing for so long does not know. */
const PATIENCE_MS = 4000;
/** Of more parts than these the size stays unknown: each would be a request. */
const MOST_PARTS = 64;

/** The file's name without its ending, or its folder's: all that an address tells. */
export function nameOf(url) {
  const { pathname, host } = new URL(url);
  return decoded(pathname.split("/").at(isManifest(pathname) ? -2 : -1)).replace(/\.gguf$/i, "") || host;
}

/** Whether this is what `pagelm pack` writes about a model. */
function isManifest(pathname) {
  return pathname.endsWith(".json");
}

/** Without %-escapes, where they are whole. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * What servers tell of a model: the bytes of all its files, or null where that is not to be
 * known, of a .gguf, of all parts of a split one, or of what a `pagelm.json` names, which tells
 * its name and licence as well.
 *
 * @param {string | URL} url absolute
 * @returns {Promise<{ bytes: number | null, name?: string, licence?: string }>}
 */
export async function toldOf(url) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const { href, pathname } = new URL(url);
    if (isManifest(pathname)) {
      const { bytes, name, license } = await (await fetch(href, { signal })).json();
      return { bytes: whole(bytes), ...text("name", name), ...text("licence", license) };
    }
    const lengths = await Promise.all(partsOf(href).map((part) => lengthOf(part, signal)));
    const known = lengths.length > 0 && !lengths.includes(null);
    return { bytes: known ? lengths.reduce((sum, length) => sum + length, 0) : null };
  } catch {
    return { bytes: null }; // the load itself will say what is wrong
  }
}

function text(key, value) {
  return typeof value === "string" && value !== "" ? { [key]: value } : {};
}

/** The files of a split model (`NAME-00001-of-00003.gguf`), as src/store/recipe.rs finds them; else the one. */
function partsOf(href) {
  const split = /-00001-of-(\d{5})(?=\.gguf(?:[?#]|$))/i.exec(href);
  if (!split) return [href];
  const count = Number(split[1]);
  if (count > MOST_PARTS) return [];
  return Array.from({ length: count }, (_, i) => href.replace(split[0], `-${String(i + 1).padStart(5, "0")}-of-${split[1]}`));
}

async function lengthOf(url, signal) {
  const answer = await fetch(url, { method: "HEAD", signal });
  return answer.ok ? whole(answer.headers.get("Content-Length")) : null;
}

function whole(value) {
  const bytes = Number(value);
  return Number.isInteger(bytes) && bytes > 0 ? bytes : null;
}
