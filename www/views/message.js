// <pl-message>: a question or an answer, and what can be done with it. Sends
// "edit" with the new text, "regenerate", "continue", "inspect", and "branch"
// with -1 or 1; an error's "remedy" comes through from <pl-problem>.

import { integer } from "../lib/format.js";
import { actButton, emit, h, iconButton } from "../lib/dom.js";
import { copyButton } from "./copy.js";
import { fileChip } from "./file-chip.js";
import { MarkdownStream } from "./markdown.js";
import "./problem.js";

const NOTES = {
  stopped: "Stopped.",
  writing: "The page was closed before this was finished.",
  failed: "This could not be answered.",
};

class Message extends HTMLElement {
  #message;
  #place = [];
  #body = h("div", { class: "answer", dir: "auto" });
  #reasoning = h("div", { class: "answer", dir: "auto" });
  #thought = h("details", { class: "reasoning", hidden: true }, h("summary", {}, "Thinking"), this.#reasoning);
  #state = h("p", { class: "state" });
  #foot = h("div", { class: "message-foot" });
  #markdown;
  #thinking;

  /**
   * @param {import("../lib/talk.js").Message} message
   * @param {import("../lib/talk.js").Message[]} place all that stand in its place
   */
  show(message, place) {
    this.#message = message;
    this.#place = place;
    this.className = message.role;
    if (message.role === "user") this.#showQuestion();
    else this.#showAnswer();
  }

  get message() {
    return this.#message;
  }

  /** All messages that stand in this one's place, this one among them. */
  set place(place) {
    const same = place.length === this.#place.length;
    this.#place = place;
    if (!same) this.#foot.querySelector(".branches")?.replaceWith(this.#branches());
  }

  /** The answer as it reads, without its marks. */
  get plainText() {
    return this.#body.innerText;
  }

  /** An answer begins, or goes on. */
  begin(words = "") {
    this.#state.textContent = this.#message.text ? "" : words;
    this.querySelector("pl-problem")?.remove();
    if (!this.#message.reasoning) this.#forgetThought();
    this.#foot.replaceChildren();
    this.#body.classList.add("streaming");
    this.#body.ariaBusy = "true";
  }

  /** Says what is going on while there is no text. */
  set words(words) {
    if (!this.#message.text) this.#state.textContent = words;
  }

  /** Adds to the answer; `drawn` is called when it is on the page. */
  write({ text, reasoning }, drawn) {
    this.#state.textContent = "";
    if (reasoning) {
      this.#thought.hidden = false;
      this.#thinking ??= new MarkdownStream(this.#reasoning);
      this.#thinking.append(reasoning, drawn);
    }
    if (text) this.#markdown.append(text, drawn);
  }

  /** The answer is over, with an error if there was one. */
  end(error) {
    this.#markdown.end();
    this.#thinking?.end();
    this.#body.classList.remove("streaming");
    this.#body.ariaBusy = "false";
    this.#state.textContent = error ? "" : this.#note();
    this.#foot.replaceChildren();
    if (error) {
      const problem = h("pl-problem");
      problem.show(error);
      this.#foot.before(problem);
    }
    this.#foot.append(...this.#answerActs());
  }

  /** Turns the question into a field. */
  edit() {
    const { text } = this.#message;
    const field = h("textarea", { class: "edit-field", rows: 2, value: text, "aria-label": "Your question, to be changed", dir: "auto" });
    const done = () => this.#showQuestion();
    const send = () => {
      if (field.value.trim()) emit(this, "edit", field.value.trim());
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        done();
        this.querySelector(".edit")?.focus();
      }
    });
    const acts = h("div", { class: "acts" }, h("button", { type: "button", class: "primary", onclick: send }, "Send"), h("button", { type: "button", onclick: done }, "Cancel"));
    this.querySelector("article").replaceChildren(h("h2", { class: "unseen" }, "You"), field, acts);
    field.focus();
  }

  #showQuestion() {
    const { text, files = [] } = this.#message;
    const chips = files.map((file) => fileChip(file));
    this.#foot.replaceChildren(
      actButton("edit", "Edit", () => this.edit(), { class: "quiet edit" }),
      copyButton("Copy question", () => text),
      this.#branches(),
    );
    this.replaceChildren(
      h(
        "article",
        {},
        h("h2", { class: "unseen" }, "You"),
        chips.length > 0 && h("div", { class: "chips" }, ...chips),
        text && h("div", { class: "question", dir: "auto" }, text),
        this.#foot,
      ),
    );
  }

  #showAnswer() {
    const { text, reasoning, model, state } = this.#message;
    this.#body.replaceChildren();
    this.#markdown = new MarkdownStream(this.#body);
    if (reasoning) {
      this.#thought.hidden = false;
      this.#thinking = new MarkdownStream(this.#reasoning);
      this.#thinking.append(reasoning);
      this.#thinking.end();
    }
    this.#markdown.append(text);
    if (state !== "writing") this.#markdown.end();
    this.#state.textContent = this.#note();
    this.#foot.replaceChildren(...this.#answerActs());
    this.replaceChildren(h("article", {}, h("h2", { class: "label" }, model ?? "Answer"), this.#thought, this.#body, this.#state, this.#foot));
  }

  #forgetThought() {
    this.#thought.hidden = true;
    this.#thinking = undefined;
    this.#reasoning.replaceChildren();
  }

  #note() {
    const { state, text, trace } = this.#message;
    if (state === "done") return text ? "" : "The model gave no answer.";
    if (state === "stopped" && !text) return "Stopped before the first word.";
    if (state === "length") return `Cut off after ${integer(trace?.usage?.completion_tokens ?? 0)} tokens: the limit in the settings, or the context is full.`;
    return NOTES[state];
  }

  #answerActs() {
    const { text, state } = this.#message;
    const unfinished = text && state !== "done";
    return [
      unfinished && actButton("forward", "Continue", () => emit(this, "continue"), { class: "quiet strong continue" }),
      text && copyButton("Copy answer", () => text),
      actButton("again", "Regenerate", () => emit(this, "regenerate"), { class: "quiet regenerate" }),
      text && actButton("inspect", "Inspect", () => emit(this, "inspect"), { class: "quiet inspect-this" }),
      this.#branches(),
    ].filter(Boolean);
  }

  #branches() {
    const count = this.#place.length;
    if (count < 2) return h("div", { class: "branches", hidden: true });
    const at = this.#place.indexOf(this.#message);
    const step = (name, label, by) => iconButton(name, label, () => emit(this, "branch", by), { disabled: !this.#place[at + by] });
    const what = this.#message.role === "user" ? "question" : "answer";
    return h(
      "div",
      { class: "branches", role: "group", "aria-label": `Versions of this ${what}` },
      step("back", `Previous version of this ${what}`, -1),
      h("span", {}, `${at + 1} / ${count}`),
      step("next", `Next version of this ${what}`, 1),
    );
  }
}

customElements.define("pl-message", Message);
