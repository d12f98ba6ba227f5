// <pl-turn>: one question and its answer. Sends "regenerate"; an error's
// "remedy" comes through from <pl-problem>.

import { emit, h } from "../lib/dom.js";
import { copyButton } from "./copy.js";
import { MarkdownStream } from "./markdown.js";
import "./problem.js";

// Beyond this a question is a text that was pasted: no longer set as a heading.
const LONG = 240;

class Turn extends HTMLElement {
  #answer = h("div", { class: "answer" });
  #state = h("p", { class: "state" });
  #foot = h("div", { class: "turn-foot" });
  #markdown;

  /**
   * @param {string} question
   * @param {string} name who answers
   */
  start(question, name) {
    const asked = h("div", { class: question.length > LONG ? "question long" : "question" }, question);
    this.replaceChildren(
      h("article", { class: "row" }, h("h2", { class: "label" }, "You"), asked),
      h("article", { class: "row" }, h("h2", { class: "label" }, name), h("div", {}, this.#answer, this.#state, this.#foot)),
    );
    this.restart();
  }

  /** Empties the answer, for another one. */
  restart() {
    this.#answer.replaceChildren();
    this.#foot.replaceChildren();
    this.#markdown = new MarkdownStream(this.#answer);
    this.#answer.classList.add("streaming");
    this.#answer.ariaBusy = "true";
  }

  /** Says what is going on while there is no text. */
  set state(words) {
    this.#state.textContent = words;
  }

  /** The answer's Markdown so far. */
  get text() {
    return this.#markdown.text;
  }

  /** The answer as it reads, without its marks. */
  get plainText() {
    return this.#answer.innerText;
  }

  /** Adds to the answer; `drawn` is called when it is on the page. */
  write(text, drawn) {
    this.#state.textContent = "";
    this.#markdown.append(text, drawn);
  }

  /**
   * The answer is over.
   * @param {string} [note] why, where that needs words
   */
  finish(note = "") {
    this.#close();
    this.#state.textContent = note;
    this.#foot.replaceChildren(...this.#acts());
  }

  /** The answer went wrong. */
  fail(error) {
    this.#close();
    this.#state.textContent = "";
    const problem = h("pl-problem");
    problem.show(error);
    this.#foot.replaceChildren(problem);
  }

  #close() {
    this.#markdown.flush();
    this.#answer.classList.remove("streaming");
    this.#answer.ariaBusy = "false";
  }

  #acts() {
    const again = h("button", { type: "button", class: "quiet regenerate", onclick: () => emit(this, "regenerate") }, "Regenerate");
    return this.text ? [copyButton("Copy answer", () => this.text), again] : [again];
  }
}

customElements.define("pl-turn", Turn);
