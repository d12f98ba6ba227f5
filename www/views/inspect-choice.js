// <pl-inspect-choice>: one choice of a token. The model's own distribution, and
// what temperature, top-k, top-p and min-p make of it, while the sliders move.

import { candidatesAfter } from "../lib/analysis.js";
import { sampled } from "../lib/distribution.js";
import { h } from "../lib/dom.js";
import { integer } from "../lib/format.js";
import { RANGES } from "../lib/settings.js";
import { percent, visible } from "../lib/tokens.js";
import { slider } from "./fields.js";

const SHOWN = 16;
const SLIDERS = { temperature: "Temperature", top_k: "Top-k", top_p: "Top-p", min_p: "Min-p" };

class InspectChoice extends HTMLElement {
  #subject;
  #place = 0;
  #choice;
  /** Ends the question about a place when another is asked for. */
  #asked = new AbortController();
  #sliders = Object.fromEntries(Object.entries(SLIDERS).map(([name, label]) => [name, slider(`choice-${name}`, label, RANGES[name])]));
  #where = h("p", { class: "hint" });
  #rows = h("tbody");
  #rest = h("p", { class: "hint", role: "status" });

  /** @param {{ lm: object, analysis: import("../lib/analysis.js").Analysis, settings: object }} [subject] */
  show(subject) {
    this.#subject = subject;
    this.#choice = undefined;
    this.#asked.abort();
    if (!subject) return this.replaceChildren();
    const { analysis, settings } = subject;
    for (const [name, { set, input }] of Object.entries(this.#sliders)) {
      set(settings[name]);
      input.oninput = () => this.#draw();
    }
    const step = (label, by) => h("button", { type: "button", class: "quiet", onclick: () => this.at(this.#place + by) }, label);
    const head = ["Token", "Model", "Sampled"].map((name) => h("th", { scope: "col" }, name));
    this.replaceChildren(
      h("div", { class: "inline" }, step("Previous token", -1), step("Next token", 1)),
      this.#where,
      h("div", { class: "sliders" }, ...Object.values(this.#sliders).map(({ element }) => element)),
      h("table", { class: "distribution" }, h("caption", { class: "unseen" }, "The most probable tokens, before and after sampling"), h("thead", {}, h("tr", {}, ...head)), this.#rows),
      this.#rest,
    );
    if (analysis.tokens.length > analysis.prompt) this.at(analysis.prompt);
  }

  /** Shows the choice of the token at this place. */
  async at(place) {
    const { lm, analysis } = this.#subject;
    this.#asked.abort();
    const { signal } = (this.#asked = new AbortController());
    this.#place = Math.min(Math.max(1, place), analysis.tokens.length - 1);
    const ids = analysis.tokens.slice(0, this.#place).map(({ id }) => id);
    const before = analysis.tokens.slice(Math.max(0, this.#place - 8), this.#place).map(({ name }) => visible(name));
    this.#where.textContent = `After “…${before.join("")}” came “${visible(analysis.tokens[this.#place].name)}”.`;
    try {
      const { candidates, name } = await candidatesAfter(lm, ids, { signal });
      const names = await Promise.all(candidates.slice(0, SHOWN).map(({ id }) => name(id)));
      // Another place may have been asked for meanwhile.
      if (signal.aborted || !this.isConnected) return;
      this.#choice = { candidates, names, vocabulary: lm.info.vocabulary };
      this.#draw();
    } catch (error) {
      if (!signal.aborted) this.#rest.textContent = error.message;
    }
  }

  #draw() {
    if (!this.#choice) return;
    const { candidates, names, vocabulary } = this.#choice;
    const settings = Object.fromEntries(Object.entries(this.#sliders).map(([name, { get }]) => [name, get()]));
    const { kept, probabilities, rest } = sampled(candidates, settings, vocabulary);
    const taken = this.#subject.analysis.tokens[this.#place].id;
    this.#rows.replaceChildren(...names.map((name, i) => {
      const own = Math.exp(candidates[i].logprob);
      return h(
        "tr",
        { class: i < kept ? undefined : "cut" },
        h("th", { scope: "row" }, h("code", {}, visible(name)), candidates[i].id === taken ? h("span", { class: "badge" }, "taken") : ""),
        cell(own, "before"),
        cell(probabilities[i], "after"),
      );
    }));
    const others = rest > 0 ? ` All that are not among the first ${integer(candidates.length)} have ${percent(rest)} together, at most.` : "";
    const all = kept === candidates.length && rest > 0;
    this.#rest.textContent = `${all ? `All ${integer(vocabulary)}` : integer(kept)} ${kept === 1 ? "token stays" : "tokens stay"} in the choice.${others}`;
  }
}

customElements.define("pl-inspect-choice", InspectChoice);

function cell(probability, kind) {
  const bar = h("span", { class: probability === 0 ? "share none" : `share ${kind}` });
  bar.style.setProperty("--share", `${probability * 100}%`);
  return h("td", {}, bar, h("span", { class: "value" }, probability === 0 ? "–" : percent(probability)));
}
