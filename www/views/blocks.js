// Blocks of Markdown as elements, sanitised. A block that grows is not made
// anew: of a paragraph, a list and a code block only the changed end is.

import DOMPurify from "../vendor/dompurify.js";
import { Marked } from "../vendor/marked.js";
import { MATH, setMath } from "../lib/math.js";
import { codeBlock } from "./code-block.js";

const marked = new Marked({
  gfm: true,
  // Models end a line of verse by a single line break.
  breaks: true,
  renderer: {
    // A model that writes HTML shows it; it does not run it.
    html: ({ text }) => escape(text),
    // An image would be fetched from wherever the model says.
    image: ({ href, text }) => escape(text || href),
    // The page's own headings are the first and second level.
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + 2);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
  extensions: MATH,
});

const PURIFY = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "a",
    "ul", "ol", "li", "h3", "h4", "h5", "h6",
    "span", "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "class"],
  ADD_URI_SAFE_ATTR: ["start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
};

// Tokens that are drawn part by part, and the field that has the parts.
const PARTS = { paragraph: "tokens", list: "items" };

/** marked's block tokens of a text; tokens that are nothing to see included. */
export function lex(text) {
  return marked.lexer(text).filter(({ raw }) => raw.length > 0);
}

/** Whether a token has anything to see. */
export function visible({ type }) {
  return type !== "space" && type !== "def";
}

/** A block on the page, for one token that may still grow. */
export class Block {
  #token;
  #parts = []; // { key, nodes }: what each part is made of, and its nodes

  constructor(token) {
    if (token.type === "code") {
      this.element = codeBlock();
    } else {
      this.element = document.createElement("div");
      this.element.className = "block";
    }
    this.#draw(token);
  }

  /** Shows the token in this block's place, if it is the same one grown; tells whether. */
  update(token) {
    if (token.raw === this.#token.raw) return true;
    if (token.type !== this.#token.type || token.ordered !== this.#token.ordered) return false;
    this.#draw(token);
    return true;
  }

  /** It does not change any more. */
  settle() {
    this.element.settle?.();
  }

  #draw(token) {
    this.#token = token;
    if (token.type === "code") this.element.update(token.text, token.lang);
    else if (token.type in PARTS) this.#drawParts(token, PARTS[token.type]);
    else this.element.replaceChildren(...render(token).childNodes);
  }

  #drawParts(token, field) {
    const parts = token[field];
    // A loose list sets its items in paragraphs, those before too.
    const key = (part) => `${token.loose}${part.raw}`;
    const changed = parts.findIndex((part, i) => this.#parts[i]?.key !== key(part));
    const kept = changed < 0 ? parts.length : changed;
    for (const { nodes } of this.#parts.splice(kept)) nodes.forEach((node) => node.remove());
    for (const part of parts.slice(kept)) {
      const frame = render({ ...token, [field]: [part] }).firstElementChild;
      const nodes = [...frame.childNodes];
      if (!this.element.firstChild) this.element.append(frame);
      else this.element.firstChild.append(...nodes);
      this.#parts.push({ key: key(part), nodes });
    }
  }
}

/** A token as sanitised nodes, dressed for this page. */
function render(token) {
  const fragment = DOMPurify.sanitize(marked.parser([token]), PURIFY);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const pre of fragment.querySelectorAll("pre")) {
    const element = codeBlock();
    element.update(pre.textContent.replace(/\n$/, ""), pre.firstElementChild?.className.replace("language-", ""));
    element.settle();
    pre.replaceWith(element);
  }
  setMath(fragment);
  for (const table of fragment.querySelectorAll("table")) scrollable(table);
  return fragment;
}

function scrollable(table) {
  const frame = document.createElement("div");
  frame.className = "table-frame";
  frame.tabIndex = 0;
  frame.role = "region";
  frame.ariaLabel = "Table";
  table.replaceWith(frame);
  frame.append(table);
}

function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
