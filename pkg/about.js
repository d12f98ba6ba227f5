// What is known of a model before anything of it is loaded: its name, and its size.

/** A server that says nothing for so long does not know. */
const PATIENCE_MS = 4000;
/** Of more parts than these the size stays unknown: each would be a request. */
const MOST_PARTS = 64;

/** The file's name without its ending: all that an address tells. */
export function nameOf(url) {
  const { pathname, host } = new URL(url);
  return decoded(pathname.split("/").at(-1)).replace(/\.gguf$/i, "") || host;
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
 * Bytes of all files of a model, or null where that is not to be known: of a .gguf, of all
 * parts of a split one, or of what a `pagelm.json` names.
 *
 * @param {string | URL} url absolute
 * @returns {Promise<number | null>}
 */
export async function sizeOf(url) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const { href, pathname } = new URL(url);
    if (pathname.endsWith(".json")) return whole((await (await fetch(href, { signal })).json()).bytes);
    const lengths = await Promise.all(partsOf(href).map((part) => lengthOf(part, signal)));
    return lengths.length === 0 || lengths.includes(null) ? null : lengths.reduce((sum, length) => sum + length, 0);
  } catch {
    return null; // the load itself will say what is wrong
  }
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
