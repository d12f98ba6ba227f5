// <pl-inspect-pairs>: a sentence as a self-supervised model sees it in training:
// each beginning of it, and the token that it has to predict.

import { pairsOf } from "../lib/analysis.js";
import { h } from "../lib/dom.js";
import { integer } from "../lib/format.js";
import { percent, surprise, visible } from "../lib/tokens.js";

const SENTENCE = "The capital of France is Paris.";
/** Characters of a context that are shown. */
const CONTEXT = 44;

class InspectPairs extends HTMLElement {
  #lm;
  #field = h("textarea", { id: "sentence", rows: 2, value: SENTENCE, dir: "auto" });
  #state = h("p", { class: "hint", role: "status" });
  #table = h("div", { class: "table-frame", tabIndex: 0, role: "region", "aria-label": "Pairs", hidden: true });

  connectedCallback() {
    if (this.firstChild) return;
    const form = h("form", { class: "pairs-form", onsubmit: (event) => (event.preventDefault(), this.#run()) }, h("label", { for: "sentence" }, "A sentence"), this.#field, h("button", { class: "primary" }, "Show its pairs"));
    const words = "Nobody labels anything: the text itself is the lesson. From each beginning of it the model predicts the next token, and its loss is −ln of the probability that it gave the right one.";
    this.append(h("p", { class: "hint" }, words), form, this.#state, this.#table);
  }

  /** @param {object} [lm] the loaded model */
  show(lm) {
    this.#lm = lm;
    if (!lm) this.#state.textContent = "";
  }

  async #run() {
    const text = this.#field.value.trim();
    if (!this.#lm) return this.#say("Load a model first.");
    if (!text) return this.#say("Write a sentence first.");
    this.#say("Reading…");
    try {
      this.#draw(await pairsOf(this.#lm, text));
    } catch (error) {
      this.#say(error.message);
    }
  }

  #draw({ pairs, nll, perplexity }) {
    if (pairs.length === 0) return this.#say("One token alone has no pair: there is nothing before it. Write more.");
    this.#say(`${integer(pairs.length)} ${pairs.length === 1 ? "pair" : "pairs"}, mean loss ${nll.toFixed(4)}, perplexity ${perplexity.toFixed(2)}`);
    const head = ["Context", "Target", "P", "Loss"].map((name) => h("th", { scope: "col" }, name));
    const rows = pairs.map(({ context, target, loss }) => {
      const cell = h("td", { class: "loss" }, loss.toFixed(4));
      cell.style.setProperty("--surprise-share", `${Math.round(surprise(-loss) * 45)}%`);
      return h("tr", {}, h("td", { class: "pair-context", dir: "auto", title: context }, ending(visible(context))), h("td", {}, h("code", {}, visible(target))), h("td", { class: "value" }, percent(Math.exp(-loss))), cell);
    });
    this.#table.replaceChildren(h("table", { class: "pairs" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
    this.#table.hidden = false;
  }

  #say(words) {
    this.#state.textContent = words;
  }
}

customElements.define("pl-inspect-pairs", InspectPairs);

function ending(text) {
  return text.length > CONTEXT ? `…${text.slice(-CONTEXT)}` : text;
}
