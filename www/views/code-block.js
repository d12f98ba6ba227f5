// <pl-code>: a block of code with its language and a button that copies it.

import { copyButton } from "./copy.js";
import { h } from "../lib/dom.js";

class CodeBlock extends HTMLElement {
  #language = h("span", { class: "code-language" });
  #text = document.createTextNode("");
  #code = h("code", {}, this.#text);

  connectedCallback() {
    if (this.firstChild) return;
    const head = h("div", { class: "code-head" }, this.#language, copyButton("Copy code", () => this.#text.data));
    this.append(head, h("pre", { tabIndex: 0 }, this.#code));
  }

  /** Shows `text`; what has been shown of it already stays selected. */
  update(text, language) {
    const shown = this.#text.data;
    if (text.startsWith(shown)) this.#text.appendData(text.slice(shown.length));
    else this.#text.data = text;
    this.#language.textContent = language?.split(/\s/)[0] || "code";
  }
}

customElements.define("pl-code", CodeBlock);

/** A new, empty code block. */
export function codeBlock() {
  return document.createElement("pl-code");
}
