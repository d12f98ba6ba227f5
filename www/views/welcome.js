// <pl-welcome>: the first visit. Says what will be fetched, from where and how
// much, and asks. Sends "accept", "choose", and "check" where it is not known what a model is.

import { fit, FIT_WORDS, memoryNeed } from "../lib/device.js";
import { emit, h } from "../lib/dom.js";
import { bytes, parameters } from "../lib/format.js";
import { modelFacts } from "./model-facts.js";

class Welcome extends HTMLElement {
  /**
   * @param {import("../lib/catalog.js").Model} model
   * @param {{ complete: boolean, bytes: number, total?: number | null }} [copy] what this browser has kept of it
   * @param {number} [room] bytes that this site may still store
   */
  show(model, copy, room) {
    const stored = Boolean(copy?.complete);
    const need = memoryNeed(model);
    const more = need ? [["Memory", `about ${bytes(need)}: ${FIT_WORDS[fit(need)]}`]] : [];
    if (model.kind) more.unshift(["Kind", `${model.kind.architecture}, ${parameters(model.kind.parameters)} parameters, ${model.kind.quantization}`]);
    if (lacksRoom(model, copy, room)) more.push(["Storage", h("span", { class: "alarm" }, `${bytes(room)} are left for this site: you will be asked what may go.`)]);
    const parts = [
      h("h2", { class: "hero", tabIndex: -1 }, "A language model, in this page."),
      h("p", { class: "lead" }, "It runs on this device, inside the browser. Nothing that you write is sent anywhere."),
      modelFacts(model, more),
      h(
        "div",
        { class: "acts" },
        h("button", { type: "button", class: "primary", onclick: () => emit(this, "accept") }, stored ? "Load from this device" : wanted(model, copy)),
        h("button", { type: "button", onclick: () => emit(this, "choose") }, "Choose another model"),
      ),
      !model.id && !model.kind && !stored && this.#checkButton(),
      h("p", { class: "note" }, stored ? "This browser has kept the model." : "It is fetched once and stays in this browser. You can delete it at any time: its name, above, opens the list."),
    ];
    this.replaceChildren(...parts.filter(Boolean));
  }

  /** Of a model that is not the site's own, the header tells what it is before all of it is fetched. */
  #checkButton() {
    const check = () => {
      button.disabled = true;
      button.textContent = "Reading its header…";
      emit(this, "check");
    };
    const button = h("button", { type: "button", class: "quiet strong check", onclick: check }, "Check first whether it runs here");
    return button;
  }
}

function lacksRoom({ bytes: size }, copy, room) {
  return room !== undefined && size !== undefined && !copy?.complete && size - (copy?.bytes ?? 0) > room;
}

/** What an earlier visit has fetched is not fetched again. */
function wanted(model, copy) {
  const size = model.bytes ?? copy?.total;
  if (!size) return "Download";
  return copy?.bytes > 0 && copy.bytes < size ? `Download the remaining ${bytes(size - copy.bytes)}` : `Download ${bytes(size)}`;
}

customElements.define("pl-welcome", Welcome);
