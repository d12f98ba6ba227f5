// <pl-help>: the keyboard shortcuts.

import { h } from "../lib/dom.js";
import { SHORTCUTS, keyNames } from "../lib/shortcuts.js";

class Help extends HTMLElement {
  #dialog;

  open() {
    this.#dialog ??= this.#make();
    this.#dialog.showModal();
  }

  #make() {
    const rows = SHORTCUTS.map(({ words, keys }) => h("div", {}, h("dt", {}, words), h("dd", {}, ...keyNames(keys).map((key) => h("kbd", {}, key)))));
    const close = h("form", { method: "dialog", class: "acts" }, h("button", { class: "primary" }, "Close"));
    const dialog = h("dialog", { "aria-labelledby": "help-title" }, h("h2", { id: "help-title", tabIndex: -1, autofocus: true }, "Keyboard shortcuts"), h("dl", { class: "facts keys" }, ...rows), close);
    this.append(dialog);
    return dialog;
  }
}

customElements.define("pl-help", Help);
