// <pl-chat>: the conversation with a loaded model: asks, streams, stops, asks
// again. A "remedy" it cannot apply itself goes up to the page.

import { announce } from "../lib/announce.js";
import { h } from "../lib/dom.js";
import { answer, wasStopped } from "../lib/engine.js";
import { integer } from "../lib/format.js";
import { Pin } from "../lib/pin.js";
import "./composer.js";
import "./status-line.js";
import "./turn.js";

const EXAMPLES = [
  "Write a short poem about the sea at night.",
  "Explain to a ten-year-old why the sky is blue.",
  "Give me three names for a small bakery, as a list.",
];

class Chat extends HTMLElement {
  #lm;
  #model;
  #settings;
  #turns = []; // { question, element, answer?: string }
  #running; // AbortController of the answer that is being written
  #title = h("h1", { class: "unseen", hidden: true });
  #log = h("div", { class: "log" });
  #empty = h("section", { class: "empty row" });
  #end = h("button", { type: "button", class: "to-end", hidden: true }, "To the end");
  #composer = h("pl-composer");
  #status = h("pl-status-line");
  #pin = new Pin((held) => (this.#end.hidden = held));

  connectedCallback() {
    if (this.firstChild) return;
    this.#end.addEventListener("click", () => {
      this.#pin.toEnd();
      this.#composer.focus();
    });
    this.#composer.addEventListener("ask", ({ detail }) => this.ask(detail));
    this.#composer.addEventListener("stop", () => this.stop());
    this.addEventListener("regenerate", () => this.regenerate());
    this.addEventListener("remedy", (event) => this.#remedy(event));
    this.append(
      this.#empty,
      this.#title,
      this.#log,
      h("div", { class: "dock" }, h("div", { class: "dock-inner" }, this.#end, this.#composer, this.#status)),
    );
  }

  /**
   * Begins with a model that has been loaded.
   * @param {object} lm
   * @param {import("../lib/catalog.js").Model} model
   * @param {() => object} settings what to ask with, at the time
   */
  start(lm, model, settings) {
    this.#lm = lm;
    this.#model = model;
    this.#settings = settings;
    this.#title.textContent = `Conversation with ${model.short}`;
    this.#composer.name = model.short;
    this.#status.info = lm.info;
    this.#drawEmpty();
  }

  focus() {
    this.#composer.focus();
  }

  /** Puts the question and has it answered. */
  ask(question) {
    if (this.#running) return;
    this.#showEmpty(false);
    const element = h("pl-turn");
    this.#log.append(element);
    element.start(question, this.#model.short);
    this.#turns.push({ question, element });
    this.#pin.toEnd();
    this.#run();
  }

  /** Has the last question answered once more. */
  regenerate() {
    if (this.#running || this.#turns.length === 0) return;
    this.#turns.at(-1).element.restart();
    this.#composer.focus();
    this.#run();
  }

  /** Stops the answer that is being written; what has come stays. */
  stop() {
    this.#running?.abort();
  }

  /** Forgets the conversation. */
  clear() {
    this.stop();
    this.#release();
    this.#turns = [];
    this.#log.replaceChildren();
    this.#showEmpty(true);
    this.#composer.focus();
    announce("New chat.");
  }

  async #run() {
    const turn = this.#turns.at(-1);
    const controller = new AbortController();
    this.#running = controller;
    this.#composer.busy = true;
    announce(`${this.#model.short} is answering.`);
    try {
      const end = await this.#stream(turn, controller.signal);
      turn.answer = turn.element.text;
      turn.element.finish(this.#noteOn(end));
      announce(turn.element.plainText);
    } catch (error) {
      if (wasStopped(error, controller.signal)) this.#stopped(turn);
      else this.#failed(turn, error);
    }
    // A conversation cleared meanwhile may have begun another answer.
    if (this.#running === controller) this.#release();
    this.#pin.follow();
  }

  #release() {
    this.#running = undefined;
    this.#composer.busy = false;
  }

  async #stream(turn, signal) {
    const { element } = turn;
    let begun; // the first report tells what need not be read again
    element.state = "Reading the question…";
    const end = await answer(this.#lm, this.#request(), signal, {
      prefill: (done, total) => {
        const now = performance.now();
        begun ??= { done, now };
        this.#status.prefill(done - begun.done, now - begun.now);
        if (total > 0) element.state = `Reading: ${integer(done)} of ${integer(total)} tokens…`;
      },
      text: (text, tokens, ms) => {
        element.write(text, () => this.#pin.follow());
        this.#status.decode(tokens - 1, ms);
      },
    });
    this.#lastFigures(end);
    return end;
  }

  #request() {
    const { system, temperature, max_tokens } = this.#settings();
    const messages = system.trim() ? [{ role: "system", content: system }] : [];
    // Questions that got no answer are left out; the last one waits for its own.
    for (const { question, answer } of this.#turns.slice(0, -1)) {
      if (answer) messages.push({ role: "user", content: question }, { role: "assistant", content: answer });
    }
    messages.push({ role: "user", content: this.#turns.at(-1).question });
    return { ...this.#model.sampling, messages, temperature, max_tokens };
  }

  #lastFigures({ usage, timings }) {
    if (!usage || !timings) return;
    this.#status.prefill(usage.prompt_tokens - (usage.prompt_tokens_details?.cached_tokens ?? 0), timings.prefill_ms);
    this.#status.decode(usage.completion_tokens, timings.decode_ms, true);
  }

  #noteOn({ reason, usage }) {
    if (reason !== "length") return undefined;
    return `Cut off after ${integer(usage?.completion_tokens ?? 0)} tokens: see “Longest answer” in the settings.`;
  }

  #stopped(turn) {
    turn.answer = turn.element.text;
    turn.element.finish(turn.answer ? "Stopped." : "Stopped before the first word.");
    announce("Stopped.");
  }

  #failed(turn, error) {
    turn.element.fail(error);
    announce(error.message);
  }

  #remedy(event) {
    if (event.detail === "retry") this.regenerate();
    else if (event.detail === "clear") this.clear();
    else return;
    event.stopPropagation();
  }

  #showEmpty(empty) {
    this.#empty.hidden = !empty;
    this.#title.hidden = empty;
  }

  #drawEmpty() {
    const examples = EXAMPLES.map((text) => h("li", {}, h("button", { type: "button", class: "example", onclick: () => this.ask(text) }, text)));
    this.#empty.replaceChildren(
      h(
        "div",
        { class: "content" },
        h("h1", {}, `Ask ${this.#model.short}.`),
        h("p", { class: "lead" }, "It answers on this device. It is a small model: check what matters."),
        h("ul", { class: "examples", "aria-label": "Examples" }, ...examples),
      ),
    );
  }
}

customElements.define("pl-chat", Chat);
