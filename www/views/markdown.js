// Markdown that arrives in pieces. The text is cut into blocks by marked's
// lexer; blocks that can no longer change stay as they are, so that the cost
// of a frame depends on the last blocks alone and not on the whole answer.

import DOMPurify from "../vendor/dompurify.js";
import { Marked } from "../vendor/marked.js";
import { codeBlock } from "./code-block.js";

// A list item may still join the list before the last block (`2` becomes `2.`),
// so the last two blocks stay open.
const OPEN_BLOCKS = 2;

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
});

const PURIFY = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "a",
    "ul", "ol", "li", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align"],
  ADD_URI_SAFE_ATTR: ["start", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
};

/** One answer: text in by `append`, blocks out into `container`. */
export class MarkdownStream {
  /** All the text so far. */
  text = "";
  #container;
  #open = []; // { raw, element }: the blocks that may still change
  #settled = 0; // characters of `text` in blocks before those
  #frame = 0;

  /** @param {HTMLElement} container */
  constructor(container) {
    this.#container = container;
  }

  /** Adds text; it is drawn with the next frame, and `drawn` called after that. */
  append(text, drawn = () => {}) {
    // marked counts lines ended by \n alone.
    this.text += text.replaceAll("\r", "");
    this.#frame ||= requestAnimationFrame(() => {
      this.flush();
      drawn();
    });
  }

  /** Draws what has come, now. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const tokens = marked.lexer(this.text.slice(this.#settled)).filter(({ raw }) => raw.length > 0);
    this.#draw(tokens);
    this.#settle(tokens);
  }

  #draw(tokens) {
    const blocks = tokens.filter(({ type }) => type !== "space" && type !== "def");
    blocks.forEach((token, i) => {
      const old = this.#open[i];
      if (old?.raw === token.raw) return;
      const element = old && reuse(old.element, token) ? old.element : render(token);
      if (!old) this.#container.append(element);
      else if (old.element !== element) old.element.replaceWith(element);
      this.#open[i] = { raw: token.raw, element };
    });
    for (const { element } of this.#open.splice(blocks.length)) element.remove();
  }

  // Takes the blocks before the last two off the text that is read again.
  #settle(tokens) {
    while (this.#open.length > OPEN_BLOCKS) {
      let token;
      do {
        token = tokens.shift();
        this.#settled += token.raw.length;
      } while (token.type === "space" || token.type === "def");
      this.#open.shift();
    }
  }
}

function render(token) {
  if (token.type === "code") {
    const element = codeBlock();
    element.update(token.text, token.lang);
    return element;
  }
  const block = document.createElement("div");
  block.className = "block";
  block.append(DOMPurify.sanitize(marked.parser([token]), PURIFY));
  for (const link of block.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const code of block.querySelectorAll("pre")) {
    const element = codeBlock();
    element.update(code.textContent.replace(/\n$/, ""), "");
    code.replaceWith(element);
  }
  for (const table of block.querySelectorAll("table")) scrollable(table);
  return block;
}

// A code block that grows keeps its element, and with it its button's focus.
function reuse(element, token) {
  if (token.type !== "code" || element.localName !== "pl-code") return false;
  element.update(token.text, token.lang);
  return true;
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
