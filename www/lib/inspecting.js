// Inspect beside the conversation: opens and closes its panel, and shows in it
// the answer that is asked for, else the newest.

import { cover } from "./cover.js";

const NARROW = matchMedia("(max-width: 47.99rem)");

export class Inspecting {
  #parts;
  #view;
  #message;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.panel  where it is shown
   * @param {HTMLElement} parts.page   all else
   * @param {HTMLButtonElement} parts.button opens and closes it
   * @param {HTMLElement} parts.chat   a <pl-chat>
   * @param {import("./host.js").Host} parts.host
   */
  constructor(parts) {
    this.#parts = parts;
    const { button, chat, host, panel } = parts;
    button.addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    chat.addEventListener("inspect", ({ target }) => this.open(target.message));
    chat.addEventListener("answered", ({ detail }) => this.#refresh(detail));
    host.addEventListener("state", () => this.#refresh(this.#message));
    panel.addEventListener("close", () => this.close());
    panel.addEventListener("take", ({ detail }) => this.#take(detail));
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.close();
    });
    NARROW.addEventListener("change", () => this.#fit());
  }

  get isOpen() {
    return !this.#parts.panel.hidden;
  }

  /** @param {import("./talk.js").Message} [message] the answer to look at */
  async open(message) {
    const { panel, button } = this.#parts;
    this.#message = message;
    panel.hidden = false;
    button.ariaPressed = "true";
    this.#fit();
    if (!this.#view) {
      await import("../views/inspect-panel.js");
      this.#view = document.createElement("pl-inspect");
      panel.append(this.#view);
    }
    this.#view.focusTitle();
    await this.#show();
  }

  close() {
    const { panel, button } = this.#parts;
    panel.hidden = true;
    button.ariaPressed = "false";
    this.#fit();
    button.focus();
  }

  /** Another conversation is shown. */
  conversationChanged() {
    this.#refresh(undefined);
  }

  #refresh(message) {
    this.#message = message;
    if (this.isOpen && this.#view) this.#show();
  }

  async #show() {
    const { chat, host } = this.#parts;
    const { talk } = chat;
    const message = this.#message ?? talk?.path.findLast(({ role, text }) => role === "assistant" && text);
    // One that is being written is shown when it is done.
    const subject = message?.text && message.state !== "writing" ? { message, messages: chat.promptOf(message), settings: talk.settings } : undefined;
    await this.#view.show(host.state === "ready" ? host.lm : undefined, subject, message?.state === "writing");
  }

  #take({ message, text }) {
    if (NARROW.matches) this.close();
    this.#parts.chat.answerFrom(message, text);
  }

  /** Where it covers the page, the page behind it is out of reach. */
  #fit() {
    document.documentElement.dataset.panel = this.isOpen ? "open" : "closed";
    cover(this.#parts.page, "panel", this.isOpen && NARROW.matches);
  }
}
