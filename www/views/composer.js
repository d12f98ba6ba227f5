// <pl-composer>: where the question is written. Enter sends, Shift+Enter makes
// a new line. Sends "ask" with the text, and "stop".

import { emit, h } from "../lib/dom.js";

class Composer extends HTMLElement {
  #field = h("textarea", { id: "question", rows: 1, required: true, "aria-describedby": "composer-keys", enterKeyHint: "send", autocomplete: "off" });
  #button = h("button", { type: "submit", class: "primary" }, "Send");
  #busy = false;

  connectedCallback() {
    if (this.firstChild) return;
    const form = h(
      "form",
      { class: "composer", onsubmit: (event) => this.#submit(event) },
      h("label", { class: "unseen", for: "question" }, "Your question"),
      this.#field,
      this.#button,
      h("p", { class: "unseen", id: "composer-keys" }, "Enter sends, Shift and Enter make a new line, Escape stops an answer."),
    );
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#fit());
    this.append(form);
  }

  /** The name of who is asked, as the field's hint. */
  set name(name) {
    this.#field.placeholder = `Ask ${name}`;
  }

  /** While an answer runs the button stops it. */
  set busy(busy) {
    this.#busy = busy;
    this.#button.textContent = busy ? "Stop" : "Send";
    this.#button.classList.toggle("stop", busy);
    // An empty field must not keep the form from stopping.
    this.#field.required = !busy;
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** Puts a text back, such as a question that got no answer. */
  fill(text) {
    this.#field.value = text;
    this.#fit();
  }

  #submit(event) {
    event.preventDefault();
    if (this.#busy) {
      emit(this, "stop");
      return;
    }
    const text = this.#field.value.trim();
    if (!text) return;
    this.fill("");
    emit(this, "ask", text);
  }

  #key(event) {
    // An input method uses Enter to accept a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.#busy && this.#field.value.trim()) this.#field.form.requestSubmit();
  }

  // Browsers with field-sizing do this in the style sheet.
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

customElements.define("pl-composer", Composer);
