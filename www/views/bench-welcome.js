// <pl-bench-welcome>: says what the measurement fetches and does, and asks.
// Sends "accept".

import { emit, h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { modelFacts } from "./model-facts.js";

class BenchWelcome extends HTMLElement {
  /**
   * @param {import("../lib/catalog.js").Model} model
   * @param {boolean} stored whether this browser has kept it
   * @param {number[]} threads numbers of threads that will be measured
   */
  show(model, stored, threads) {
    const size = model.bytes ? bytes(model.bytes) : "";
    this.replaceChildren(
      h("h1", { tabIndex: -1 }, "How fast is it on this device?"),
      h("p", { class: "lead" }, "This page runs a language model in your browser and measures it. Nothing is sent anywhere: the result is yours to keep or to paste."),
      h("p", {}, stored ? "This browser has kept the model:" : "To begin, the model has to be fetched once:"),
      modelFacts(model, [["Threads", threadsToUse(threads)]]),
      h("div", { class: "acts" }, h("button", { type: "button", class: "primary", onclick: () => emit(this, "accept") }, stored ? "Measure" : ["Download", size].join(" ").trim())),
      h("p", { class: "note" }, "The measurement begins as soon as the model is there. It takes a minute or two, on a slow phone several. Keep this page in front and the device otherwise idle: what else runs is measured too."),
    );
  }
}

function threadsToUse(threads) {
  const [most, ...fewer] = threads;
  if (fewer.length > 0) return `${fewer.reverse().join(", ")} and ${most}`;
  return globalThis.crossOriginIsolated ? "1" : "1, as this site does not send the headers that more need";
}

customElements.define("pl-bench-welcome", BenchWelcome);
