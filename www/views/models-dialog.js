// <pl-models>: the models this browser keeps, and another one by its address.
// Sends "remove" with the url of a copy to delete.

import { nameOf } from "../lib/catalog.js";
import { emit, h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

class Models extends HTMLElement {
  #list = h("ul", { class: "models", "aria-label": "Models in this browser" });
  #address = h("input", { id: "model", name: "model", type: "url", required: true, placeholder: "https://…/model.gguf", spellcheck: false, "aria-describedby": "model-hint" });
  #dialog;

  connectedCallback() {
    if (this.firstChild) return;
    // An ordinary form: the page opens anew with ?model=…, which frees the old model's memory.
    const form = h(
      "form",
      { method: "get" },
      h(
        "div",
        { class: "field" },
        h("label", { for: "model" }, "Address of another model"),
        h("div", { class: "inline" }, this.#address, h("button", { class: "primary" }, "Open")),
        h("p", { class: "hint", id: "model-hint" }, "A GGUF file whose server allows other sites to read it. Nothing is downloaded before you agree."),
      ),
    );
    const close = h("form", { method: "dialog", class: "acts" }, h("button", {}, "Close"));
    this.#dialog = h("dialog", { "aria-labelledby": "models-title" }, h("h2", { id: "models-title", tabIndex: -1, autofocus: true }, "Model"), this.#list, form, close);
    this.append(this.#dialog);
  }

  /**
   * @param {object[]} stored  what PageLM.models() tells
   * @param {string} [current] url of the model this page is about
   * @param {string} defaultUrl url of the model that needs no ?model=
   */
  open(stored, current, defaultUrl) {
    this.show(stored, current, defaultUrl);
    this.#dialog.showModal();
  }

  /** As `open`, for a dialog that is open already. */
  show(stored, current, defaultUrl) {
    const rows = stored.map((entry) => this.#row(entry, current, defaultUrl));
    if (!stored.some(({ url }) => url === defaultUrl)) rows.push(this.#row({ url: defaultUrl }, current, defaultUrl));
    this.#list.replaceChildren(...rows);
  }

  #row({ url, bytes: size, complete }, current, defaultUrl) {
    const name = nameOf(url);
    const link = h("a", { href: url === defaultUrl ? "./" : `./?${new URLSearchParams({ model: url })}` }, name);
    const held = size === undefined ? "not stored" : complete ? `stored, ${bytes(size)}` : `partly stored, ${bytes(size)}`;
    const title = url === current ? h("span", { "aria-current": "true" }, name) : link;
    const remove = h("button", { type: "button", class: "quiet", "aria-label": `Delete the stored copy of ${name}`, onclick: () => emit(this, "remove", url) }, "Delete");
    return h("li", {}, h("div", { class: "model-title" }, title, h("p", { class: "hint" }, url === current ? `in use · ${held}` : held)), size !== undefined && remove);
  }
}

customElements.define("pl-models", Models);
