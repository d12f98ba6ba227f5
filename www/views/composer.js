// <pl-composer>: where the question is written. Enter sends, Shift+Enter makes a
// new line. Sends "ask" with { text, files }, "stop", "files" with what is to be
// read, "edit-last" from an empty field by the arrow up, and "draft" as it changes.

import { emit, h, iconButton } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { fileChip } from "./file-chip.js";

class Composer extends HTMLElement {
  #field = h("textarea", { id: "question", rows: 1, "aria-describedby": "composer-keys", enterKeyHint: "send", autocomplete: "off", dir: "auto" });
  #button = h("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send" }, icon("send"));
  #chips = h("div", { class: "chips", hidden: true });
  #input = h("input", { type: "file", multiple: true, hidden: true, onchange: () => this.#chosen() });
  #files = [];
  /** Names of files that are being read. */
  #reading = [];
  /** Whether to send as soon as they have been. */
  #waiting = false;
  #busy = false;

  connectedCallback() {
    if (this.firstChild) return;
    const form = h(
      "form",
      { class: "composer", onsubmit: (event) => this.#submit(event) },
      this.#chips,
      h("label", { class: "unseen", for: "question" }, "Your question"),
      this.#field,
      h("div", { class: "composer-acts" }, iconButton("attach", "Add a text file", () => this.#input.click()), this.#input, this.#button),
      h("p", { class: "unseen", id: "composer-keys" }, "Enter sends, Shift and Enter make a new line, Escape stops an answer."),
    );
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("paste", (event) => this.#paste(event));
    this.append(form);
    this.#changed(true);
  }

  /** The name of who is asked, as the field's hint. */
  set name(name) {
    this.#field.placeholder = `Ask ${name}`;
  }

  /** While an answer runs the button stops it. */
  set busy(busy) {
    this.#busy = busy;
    this.#button.replaceChildren(icon(busy ? "stop" : "send"));
    this.#button.ariaLabel = this.#button.title = busy ? "Stop" : "Send";
    this.#changed(true);
  }

  get busy() {
    return this.#busy;
  }

  /** @returns {import("../lib/talk.js").Attachment[]} */
  get files() {
    return this.#files;
  }

  set files(files) {
    this.#files = files;
    this.#drawChips();
    this.#changed();
  }

  /** These are being read: what is sent meanwhile waits for them. */
  beginReading(names) {
    this.#reading = [...this.#reading, ...names];
    this.#drawChips();
  }

  /**
   * What waits for a file is not sent: it stays in the field, and the file beside it.
   * @returns {boolean} whether anything waited
   */
  hold() {
    const waited = this.#waiting;
    this.#waiting = false;
    return waited;
  }

  /** One of them has been read, or cannot be: then what was meant to go with it is not sent. */
  endReading(name, failed) {
    this.#reading = this.#reading.toSpliced(this.#reading.indexOf(name), 1);
    this.#drawChips();
    if (failed) this.#waiting = false;
    if (this.#reading.length > 0 || !this.#waiting) return;
    this.#waiting = false;
    if (!this.#busy) this.#send();
  }

  get text() {
    return this.#field.value;
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** Puts a text into the field. */
  fill(text) {
    this.#field.value = text;
    this.#changed(true);
  }

  #without(file) {
    this.files = this.#files.filter((each) => each !== file);
    this.focus();
  }

  #drawChips() {
    const reading = this.#reading.map((name) => h("div", { class: "chip" }, h("span", { class: "chip-name" }, icon("file"), h("span", {}, `Reading ${name}…`))));
    this.#chips.hidden = this.#files.length + reading.length === 0;
    this.#chips.replaceChildren(...this.#files.map((file) => fileChip(file, () => this.#without(file))), ...reading);
  }

  #submit(event) {
    event.preventDefault();
    if (this.#busy) return emit(this, "stop");
    if (this.#reading.length > 0) this.#waiting = true;
    else this.#send();
  }

  #send() {
    const text = this.#field.value.trim();
    if (!text && this.#files.length === 0) return this.focus();
    const files = this.#files;
    this.files = [];
    this.fill("");
    emit(this, "ask", { text, files });
  }

  #key(event) {
    if (event.key === "ArrowUp" && this.#field.value === "") {
      event.preventDefault();
      return emit(this, "edit-last");
    }
    // An input method uses Enter to accept a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.#busy) this.#field.form.requestSubmit();
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    emit(this, "files", files);
  }

  #chosen() {
    emit(this, "files", [...this.#input.files]);
    this.#input.value = "";
  }

  #changed(quiet = false) {
    this.#fit();
    this.#button.classList.toggle("idle", !this.#busy && !this.#field.value.trim() && this.#files.length === 0);
    if (!quiet) emit(this, "draft");
  }

  // Browsers with field-sizing do this in the style sheet.
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

customElements.define("pl-composer", Composer);
