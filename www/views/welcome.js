// <pl-welcome>: the first visit. Says what will be fetched, from where and how
// much, and asks. Sends "accept" and "choose".

import { emit, h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { modelFacts } from "./model-facts.js";

class Welcome extends HTMLElement {
  /**
   * @param {import("../lib/catalog.js").Model} model
   * @param {boolean} stored whether this browser has kept it
   */
  show(model, stored) {
    const size = model.bytes ? bytes(model.bytes) : undefined;
    this.replaceChildren(
      h("h1", { tabIndex: -1 }, "A language model, in this page."),
      h("p", { class: "lead" }, "It runs on this device, inside the browser. Nothing that you write is sent anywhere."),
      h("p", {}, stored ? "This browser has kept the model:" : "To begin, the model has to be fetched once:"),
      modelFacts(model),
      h(
        "div",
        { class: "acts" },
        h("button", { type: "button", class: "primary", onclick: () => emit(this, "accept") }, stored ? "Load from this device" : ["Download", size].join(" ").trim()),
        h("button", { type: "button", onclick: () => emit(this, "choose") }, "Choose another model"),
      ),
      h("p", { class: "note" }, stored ? "You can delete it at any time under Model." : "It stays in this browser, so the next visit loads it from this device. You can delete it at any time under Model."),
    );
  }
}

customElements.define("pl-welcome", Welcome);
