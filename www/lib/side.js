// The column of conversations: beside the page where there is room, else a
// drawer over it, which holds the focus while it is open.

import { cover } from "./cover.js";
import { recall, remember } from "./preferences.js";

const WIDE = matchMedia("(min-width: 64rem)");

export class Side {
  #side;
  #page;
  #button;
  #open = false;

  /**
   * @param {HTMLElement} side
   * @param {HTMLElement} page   all else
   * @param {HTMLElement} button that opens and closes it
   * @param {HTMLElement} veil   what lies between
   */
  constructor(side, page, button, veil) {
    this.#side = side;
    this.#page = page;
    this.#button = button;
    button.addEventListener("click", () => this.toggle());
    veil.addEventListener("click", () => this.close());
    side.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || WIDE.matches) return;
      event.preventDefault();
      this.close();
    });
    WIDE.addEventListener("change", () => this.#fit());
    this.#fit();
  }

  get open() {
    return this.#open;
  }

  toggle() {
    this.#set(!this.#open);
    if (WIDE.matches) remember("side", this.#open ? null : "closed");
    if (this.#open && !WIDE.matches) this.#side.querySelector("button").focus();
  }

  show() {
    if (!this.#open) this.toggle();
  }

  /** Closes a drawer; beside the page it stays. */
  close() {
    if (WIDE.matches || !this.#open) return;
    this.#set(false);
    this.#button.focus();
  }

  #fit() {
    this.#set(WIDE.matches && recall("side") !== "closed");
  }

  #set(open) {
    this.#open = open;
    document.documentElement.dataset.side = open ? "open" : "closed";
    this.#side.inert = !open;
    cover(this.#page, "side", open && !WIDE.matches);
    this.#button.ariaExpanded = String(open);
  }
}
