// Colours for code, by highlight.js, which is fetched when the first code comes.

import DOMPurify from "../vendor/dompurify.js";

/** Longer code stays plain: colouring it would hold the page up. */
const MAX_LENGTH = 12_000;
const PURIFY = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true };

/**
 * The text as coloured nodes, or null where the language is not known.
 * @returns {Promise<DocumentFragment | null>}
 */
export async function highlighted(text, language) {
  if (text.length > MAX_LENGTH) return null;
  const { default: highlighter } = await import("../vendor/highlight.js");
  if (!highlighter.getLanguage(language)) return null;
  await idle();
  return DOMPurify.sanitize(highlighter.highlight(text, { language, ignoreIllegals: true }).value, PURIFY);
}

/** Until the page has nothing better to do. */
function idle() {
  return new Promise((resolve) => ("requestIdleCallback" in globalThis ? requestIdleCallback(resolve, { timeout: 500 }) : setTimeout(resolve, 30)));
}
