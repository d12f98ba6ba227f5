// <pl-code>: a block of code with its language and a button that copies it. Its
// colours come once it does not grow any more.

import { h } from "../lib/dom.js";
import { highlighted } from "../lib/highlight.js";
import { copyButton } from "./copy.js";

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
    if (!this.#text.isConnected) this.#code.replaceChildren(this.#text);
  }

  /** Colours the code. */
  async settle() {
    const text = this.#text.data;
    const nodes = await highlighted(text, this.#language.textContent).catch(() => null);
    if (nodes && this.#text.data === text) this.#code.replaceChildren(nodes);
  }
}

customElements.define("pl-code", CodeBlock);

/** A new, empty code block. */
export function codeBlock() {
  return document.createElement("pl-code");
}
