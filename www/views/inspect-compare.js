// <pl-inspect-compare>: the same question under two settings, side by side.

import { answer } from "../lib/engine.js";
import { h } from "../lib/dom.js";
import { integer, speed } from "../lib/format.js";
import { RANGES } from "../lib/settings.js";
import { slider } from "./fields.js";

const SLIDERS = { temperature: "Temperature", top_k: "Top-k", top_p: "Top-p", min_p: "Min-p" };
/** What the second begins with: free, where the first is careful. */
const FREE = { temperature: 1.2, top_k: 0, top_p: 1, min_p: 0.05 };
const LONGEST = 120;

class InspectCompare extends HTMLElement {
  #lm;
  #subject;
  #running;
  #sides = ["A", "B"].map((name) => side(name));
  #run = h("button", { type: "button", class: "primary", onclick: () => this.#toggle() }, "Answer twice");
  #state = h("p", { class: "hint", role: "status" });
  #answers = h("div", { class: "sides", hidden: true }, ...this.#sides.map(({ answer }) => answer));

  connectedCallback() {
    if (this.firstChild) return;
    this.append(h("p", { class: "hint" }, "The last question again, answered with two settings from the same seed."), h("div", { class: "sides" }, ...this.#sides.map(({ element }) => element)), this.#run, this.#state, this.#answers);
  }

  /**
   * @param {object} [lm]
   * @param {{ messages: object[], settings: object }} [subject]
   */
  show(lm, subject) {
    this.#running?.abort();
    const first = !this.#subject;
    this.#lm = lm;
    this.#subject = subject ?? this.#subject;
    if (!subject || !first) return;
    this.#sides[0].set(subject.settings);
    this.#sides[1].set(FREE);
  }

  async #toggle() {
    if (this.#running) return this.#running.abort();
    if (!this.#lm || !this.#subject) return (this.#state.textContent = "Ask something in the chat first.");
    const running = (this.#running = new AbortController());
    this.#run.textContent = "Stop";
    try {
      const seed = this.#subject.settings.seed ?? Math.floor(Math.random() * 2 ** 31);
      this.#state.textContent = "Answering…";
      this.#answers.hidden = false;
      for (const each of this.#sides) await this.#answer(each, seed, running.signal);
      this.#state.textContent = "Done.";
    } catch (error) {
      this.#state.textContent = running.signal.aborted ? "Stopped." : error.message;
    }
    this.#running = undefined;
    this.#run.textContent = "Answer twice";
  }

  async #answer({ output, figures, get }, seed, signal) {
    output.textContent = "";
    figures.textContent = "";
    const request = { messages: this.#subject.messages, ...get(), seed, max_tokens: LONGEST };
    const { trace } = await answer(this.#lm, request, { signal }, { prefill() {}, trace() {}, text: ({ text }) => output.append(text) });
    const { usage, timings } = trace;
    figures.textContent = `${integer(usage.completion_tokens)} tokens, ${speed(usage.completion_tokens, timings.decode_ms)}`;
  }
}

customElements.define("pl-inspect-compare", InspectCompare);

function side(name) {
  const sliders = Object.fromEntries(Object.entries(SLIDERS).map(([key, label]) => [key, slider(`compare-${name}-${key}`, label, RANGES[key])]));
  const output = h("div", { class: "compared", dir: "auto", tabIndex: 0, role: "region", "aria-label": `Answer ${name}` });
  const figures = h("p", { class: "hint" });
  const element = h("section", {}, h("h3", {}, `Setting ${name}`), ...Object.values(sliders).map((each) => each.element));
  const answer = h("section", {}, h("h3", {}, `Answer ${name}`), output, figures);
  const set = (settings) => Object.entries(sliders).forEach(([key, each]) => each.set(settings[key]));
  const get = () => Object.fromEntries(Object.entries(sliders).map(([key, each]) => [key, each.get()]));
  set(FREE);
  return { element, answer, output, figures, set, get };
}
