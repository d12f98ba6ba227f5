// Formulas: found in Markdown between $ or $$, \( or \[, and set as MathML by
// Temml, which is fetched when the first one comes.

import DOMPurify from "../vendor/dompurify.js";

const PURIFY = { USE_PROFILES: { mathMl: true }, FORBID_ATTR: ["style", "href"], RETURN_DOM_FRAGMENT: true };

let temml;

/** Extensions for marked: they leave `<span class="math">` with the formula's source. */
export const MATH = [
  {
    name: "mathBlock",
    level: "block",
    start: (source) => source.match(/(?:^|\n)(?:\$\$|\\\[)/)?.index,
    tokenizer(source) {
      const found = /^(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\])[^\S\n]*(?:\n|$)/.exec(source);
      return found ? { type: "mathBlock", raw: found[0], text: (found[1] ?? found[2]).trim() } : undefined;
    },
    renderer: ({ text }) => `<p><span class="math display">${escape(text)}</span></p>`,
  },
  {
    name: "math",
    level: "inline",
    start: (source) => source.match(/\$|\\\(|\\\[/)?.index,
    tokenizer(source) {
      // Prices are no formulas: a $ beside a space, or before a digit, does not end one.
      const found = /^(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\])/.exec(source) ?? /^(?:\$(?!\s)((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)|\\\(([^]+?)\\\))/.exec(source);
      if (!found) return undefined;
      const display = /^(?:\$\$|\\\[)/.test(found[0]);
      return { type: "math", raw: found[0], text: (found[1] ?? found[2]).trim(), display };
    },
    renderer: ({ text, display }) => `<span class="math${display ? " display" : ""}">${escape(text)}</span>`,
  },
];

/** Sets the formulas of a piece of the page; as source where they are none. */
export function setMath(root) {
  const places = [...root.querySelectorAll(".math")];
  if (places.length === 0) return;
  if (temml) for (const place of places) set(place);
  else load().then(() => places.forEach(set), () => {});
}

async function load() {
  ({ default: temml } = await import("../vendor/temml.js"));
}

function set(place) {
  const source = place.textContent;
  const displayMode = place.classList.contains("display");
  try {
    // Not even to be taken away again may the page's policy see a style.
    const mathml = temml.renderToString(source, { displayMode, annotate: false, throwOnError: true }).replace(/ style="[^"]*"/g, "");
    place.replaceChildren(DOMPurify.sanitize(mathml, PURIFY));
  } catch {
    place.classList.add("not-math");
  }
}

function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
