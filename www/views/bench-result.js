// <pl-bench-result>: the measurement as a picture and as text to paste. Sends
// "again".

import { emit, h } from "../lib/dom.js";
import { asText } from "../lib/measured.js";
import { picture } from "./bench-picture.js";
import { copyButton } from "./copy.js";

class BenchResult extends HTMLElement {
  /**
   * @param {import("../lib/measured.js").Measured} measured
   * @param {string} [remark] why something is missing
   */
  show(measured, remark) {
    const text = asText(measured);
    this.replaceChildren(
      h("h1", { tabIndex: -1 }, "Measured on this device"),
      h("p", { class: "lead" }, `${measured.model.name}, in tokens a second. Prefill is reading a prompt, decode is writing an answer.`),
      remark ? h("p", { class: "note" }, remark) : "",
      picture(measured),
      h("p", { class: "note" }, "Prefill has a scale of its own; both kinds of decode share one."),
      h(
        "section",
        { class: "paste", "aria-labelledby": "paste-title" },
        h("div", { class: "paste-head" }, h("h2", { id: "paste-title" }, "As text"), copyButton("Copy the result as text", () => text)),
        h("pre", { tabIndex: 0, "aria-labelledby": "paste-title" }, text),
      ),
      h("div", { class: "acts" }, h("button", { type: "button", onclick: () => emit(this, "again") }, "Measure again")),
    );
  }
}

customElements.define("pl-bench-result", BenchResult);
