// <pl-measuring>: how far the measurement is. Sends "cancel".

import { emit, h } from "../lib/dom.js";

class Measuring extends HTMLElement {
  #title = h("h1", { tabIndex: -1, id: "measuring-title" }, "Measuring");
  #bar = h("progress", { "aria-labelledby": "measuring-title" });
  #step = h("p", { class: "amount" });
  #count = h("p", { class: "rate" });

  connectedCallback() {
    if (this.firstChild) return;
    this.append(
      this.#title,
      h("div", { class: "meter" }, this.#bar, this.#step, this.#count),
      h("div", { class: "acts" }, h("button", { type: "button", onclick: () => emit(this, "cancel") }, "Cancel")),
      h("p", { class: "note" }, "Keep this page in front and the device otherwise idle."),
    );
  }

  /**
   * @param {number} done  steps that are over
   * @param {number} total
   * @param {string} words what goes on now
   */
  update(done, total, words) {
    this.#bar.max = total;
    this.#bar.value = done;
    this.#step.textContent = words;
    this.#count.textContent = `${done + 1} of ${total}`;
  }
}

customElements.define("pl-measuring", Measuring);
