// <pl-inspect>: how the model thinks, in six views of one answer. Sends "close",
// and "take" with { message, text } where another token is chosen to go on from.

import { analyse } from "../lib/analysis.js";
import { emit, h, iconButton } from "../lib/dom.js";
import { integer } from "../lib/format.js";
import "./inspect-choice.js";
import "./inspect-compare.js";
import "./inspect-memory.js";
import "./inspect-pairs.js";
import "./inspect-time.js";
import "./inspect-tokens.js";

const VIEWS = [
  ["tokens", "Tokens"],
  ["choice", "Choice"],
  ["pairs", "Training"],
  ["time", "Time"],
  ["memory", "Memory"],
  ["compare", "Compare"],
];

class Inspect extends HTMLElement {
  #lm;
  #subject;
  #reading; // AbortController of the analysis that goes on
  #state = h("p", { class: "hint", role: "status" });
  #tabs = [];
  #views = {};
  #shown = "tokens";

  connectedCallback() {
    if (this.firstChild) return;
    for (const [name, label] of VIEWS) {
      const id = `inspect-${name}`;
      this.#tabs.push(h("button", { type: "button", role: "tab", id: `${id}-tab`, "aria-controls": id, onclick: () => this.select(name) }, label));
      this.#views[name] = h(`pl-inspect-${name}`, { id, role: "tabpanel", "aria-labelledby": `${id}-tab`, tabIndex: 0, class: "inspect-view" });
    }
    const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Views", onkeydown: (event) => this.#key(event) }, ...this.#tabs);
    const head = h("div", { class: "panel-head" }, h("h2", { tabIndex: -1 }, "Inspect"), iconButton("close", "Close Inspect", () => emit(this, "close")));
    this.append(head, list, this.#state, ...Object.values(this.#views));
    this.#views.tokens.addEventListener("choose", ({ detail }) => this.#choose(detail));
    this.#views.tokens.addEventListener("look", ({ detail }) => (this.#views.choice.at(detail), this.select("choice")));
    this.select("tokens");
  }

  /**
   * Shows an answer; without one what needs none.
   *
   * @param {object} [lm] the loaded model
   * @param {{ message: import("../lib/talk.js").Message, messages: object[], settings: object }} [subject] with what the model reads before it
   * @param {boolean} [writing] whether there is none because it is still being written
   */
  async show(lm, subject, writing = false) {
    this.#lm = lm;
    this.#subject = subject;
    this.#reading?.abort();
    this.#views.pairs.show(lm);
    this.#views.memory.show(lm, subject);
    this.#views.time.show(subject?.message.trace);
    this.#views.compare.show(lm, subject);
    this.#views.tokens.show(undefined);
    this.#views.choice.show(undefined);
    if (!lm) return this.#say("Load a model, and this shows how it thinks.");
    if (!subject) return this.#say(writing ? "The answer is still being written: it is shown here when it is done." : "Ask something, and this shows how the answer came about.");
    await this.#read(lm, subject);
  }

  /** Shows one of the views. */
  select(name) {
    this.#shown = name;
    VIEWS.forEach(([each], i) => {
      const selected = each === name;
      this.#tabs[i].ariaSelected = String(selected);
      this.#tabs[i].tabIndex = selected ? 0 : -1;
      this.#views[each].hidden = !selected;
      if (selected && this.isConnected) this.#tabs[i].scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    // These say what they need by themselves.
    this.#state.hidden = ["pairs", "compare"].includes(name) && Boolean(this.#lm);
  }

  focusTitle() {
    this.querySelector("h2").focus();
  }

  async #read(lm, { message, messages, settings }) {
    const reading = new AbortController();
    this.#reading = reading;
    const { signal } = reading;
    this.#say("Reading the answer once more, to see what the model predicted…");
    try {
      const onProgress = ({ loaded, total }) => this.#say(`Reading: ${integer(loaded)} of ${integer(total)} tokens…`);
      const analysis = await analyse(lm, messages, message.text, { signal, onProgress });
      if (signal.aborted) return;
      this.#say("");
      this.#views.tokens.show(analysis);
      this.#views.choice.show({ lm, analysis, settings });
      this.#views.memory.show(lm, { message, tokens: analysis.tokens.length });
    } catch (error) {
      if (!signal.aborted) this.#say(error.message);
    }
  }

  #say(words) {
    this.#state.textContent = words;
  }

  /** Goes on from another token than the one that was taken. */
  async #choose({ ids }) {
    const { message } = this.#subject;
    try {
      emit(this, "take", { message, text: await this.#lm.detokenize(ids) });
    } catch (error) {
      this.#say(error.message);
    }
  }

  #key(event) {
    const at = VIEWS.findIndex(([name]) => name === this.#shown);
    const rtl = getComputedStyle(this).direction === "rtl";
    const by = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }[event.key];
    const to = { Home: 0, End: VIEWS.length - 1 }[event.key] ?? (by && (at + by + VIEWS.length) % VIEWS.length);
    if (to === undefined) return;
    event.preventDefault();
    this.select(VIEWS[to][0]);
    this.#tabs[to].focus();
  }
}

customElements.define("pl-inspect", Inspect);
