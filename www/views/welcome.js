// <pl-welcome>: the first visit. Says what will be fetched, from where and how
// much, and asks. Sends "accept" and "choose".

import { fit, FIT_WORDS, memoryNeed } from "../lib/device.js";
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
    const need = memoryNeed(model);
    const memory = need ? [["Memory", `about ${bytes(need)}: ${FIT_WORDS[fit(need)]}`]] : [];
    this.replaceChildren(
      h("h2", { class: "hero", tabIndex: -1 }, "A language model, in this page."),
      h("p", { class: "lead" }, "It runs on this device, inside the browser. Nothing that you write is sent anywhere."),
      modelFacts(model, memory),
      h(
        "div",
        { class: "acts" },
        h("button", { type: "button", class: "primary", onclick: () => emit(this, "accept") }, stored ? "Load from this device" : ["Download", size].join(" ").trim()),
        h("button", { type: "button", onclick: () => emit(this, "choose") }, "Choose another model"),
      ),
      h("p", { class: "note" }, stored ? "This browser has kept the model." : "It is fetched once and stays in this browser. You can delete it at any time under “Model”."),
    );
  }
}

customElements.define("pl-welcome", Welcome);
