// <pl-notice>: one quiet line at the edge of the page, with at most one act. It
// stays until it is answered, unless it only says that something was done.

import { h, iconButton } from "../lib/dom.js";

const PASSING_MS = 4000;

class Notice extends HTMLElement {
  #timer;

  connectedCallback() {
    this.role = "status";
  }

  /**
   * @param {string} text
   * @param {{ label: string, act: () => void }} [offer]
   */
  show(text, offer) {
    clearTimeout(this.#timer);
    const act = offer && h("button", { type: "button", class: "quiet strong", onclick: () => (this.#close(), offer.act()) }, offer.label);
    this.replaceChildren(h("div", { class: "notice" }, h("p", {}, text), act, iconButton("close", "Dismiss", () => this.#close())));
    if (!offer) this.#timer = setTimeout(() => this.#close(), PASSING_MS);
  }

  #close() {
    clearTimeout(this.#timer);
    this.replaceChildren();
  }
}

customElements.define("pl-notice", Notice);

/** Shows a line in the page's notice. */
export function notify(text, offer) {
  document.querySelector("pl-notice").show(text, offer);
}
