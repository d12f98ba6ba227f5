// <pl-status-line>: which binary runs on how many threads, and the speed of
// reading and writing while it goes on.

import { h } from "../lib/dom.js";
import { speed } from "../lib/format.js";

const REDRAW_MS = 250;
const VARIANTS = { simd: "SIMD", relaxed: "relaxed SIMD", threads: "relaxed SIMD" };

class StatusLine extends HTMLElement {
  #engine = h("span");
  #prefill = h("span", {}, "Prefill –");
  #decode = h("span", {}, "Decode –");
  #drawn = 0;

  connectedCallback() {
    if (!this.firstChild) this.append(this.#engine, h("span", { class: "speeds" }, this.#prefill, this.#decode));
  }

  /** @param {object} info of the loaded model */
  set info({ variant, threads }) {
    this.#engine.textContent = `${VARIANTS[variant] ?? variant}, ${threads === 1 ? "1 thread" : `${threads} threads`}`;
  }

  /** Tokens of the prompt read in so many milliseconds. */
  prefill(tokens, ms) {
    if (tokens > 0 && ms > 0) this.#prefill.textContent = `Prefill ${speed(tokens, ms)}`;
  }

  /** Tokens written in so many milliseconds; drawn a few times a second unless it is the last word. */
  decode(tokens, ms, last = false) {
    const now = performance.now();
    if (!(tokens > 0 && ms > 0) || (!last && now - this.#drawn < REDRAW_MS)) return;
    this.#drawn = now;
    this.#decode.textContent = `Decode ${speed(tokens, ms)}`;
  }
}

customElements.define("pl-status-line", StatusLine);
