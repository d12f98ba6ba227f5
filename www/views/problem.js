// <pl-problem>: an error's sentence and the one button that helps. Sends
// "remedy" with the remedy's key.

import { emit, h } from "../lib/dom.js";
import { REMEDIES, remedyFor } from "../lib/remedy.js";

class Problem extends HTMLElement {
  /** The level of the title on its page. */
  heading = "h1";

  /**
   * @param {Error & {code?: string}} error
   * @param {string} [title] a heading, where this takes the whole view
   */
  show(error, title) {
    const remedy = remedyFor(error);
    const act = (key, style) => h("button", { type: "button", class: style, onclick: () => emit(this, "remedy", key) }, REMEDIES[key]);
    this.replaceChildren(
      title ? h(this.heading, { tabIndex: -1 }, title) : "",
      h("p", { class: "sentence" }, error.message),
      h("div", { class: "acts" }, act(remedy, "primary")),
      error.code ? h("p", { class: "note" }, "Code ", h("code", {}, error.code)) : "",
    );
  }
}

customElements.define("pl-problem", Problem);
