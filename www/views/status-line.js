// <pl-status-line>: how full the context is, what runs, and the speed of reading
// and writing while it goes on.

import { h } from "../lib/dom.js";
import { integer, speed } from "../lib/format.js";

const REDRAW_MS = 250;
const VARIANTS = { simd: "SIMD", relaxed: "relaxed SIMD", threads: "relaxed SIMD" };

class StatusLine extends HTMLElement {
  #meter = h("meter", { hidden: true, min: 0, max: 1, value: 0, low: 0.75, high: 0.9, optimum: 0, "aria-label": "Context used" });
  #context = h("span", { class: "context-words" });
  #engine = h("span", { class: "engine" });
  #prefill = h("span");
  #decode = h("span");
  #drawn = 0;

  connectedCallback() {
    if (this.firstChild) return;
    this.append(
      h("span", { class: "context", title: "Tokens of this conversation, of those that the context holds" }, this.#meter, this.#context),
      h("span", { class: "speeds" }, this.#prefill, this.#decode, this.#engine),
    );
  }

  /** @param {object | undefined} info of the loaded model */
  set info(info) {
    this.#engine.textContent = info ? `${VARIANTS[info.variant] ?? info.variant}, ${info.threads === 1 ? "1 thread" : `${info.threads} threads`}` : "";
    this.#engine.title = info && !crossOriginIsolated ? "This page is not isolated, so only one thread can be used." : "";
    if (!info) this.#prefill.textContent = this.#decode.textContent = "";
  }

  /** Tokens that the conversation takes of the context. */
  context(used, of) {
    this.#meter.hidden = of === 0;
    this.#meter.value = of > 0 ? used / of : 0;
    const full = used > of ? ", more than the model can keep in mind" : "";
    this.#context.replaceChildren(...(of > 0 ? [`${integer(used)} / ${integer(of)}`, h("span", { class: full ? "unit full" : "unit" }, ` tokens${full}`)] : []));
  }

  /**
   * The figures of an answer, so far or at its end.
   * @returns {boolean} whether they are drawn: not with every token
   */
  figures({ prefill, decode, cached, usage, timings }) {
    const now = performance.now();
    if (!timings && now - this.#drawn < REDRAW_MS) return false;
    this.#drawn = now;
    if (timings) this.#last(usage, timings, cached);
    else this.#sofar(prefill, decode);
    return true;
  }

  #sofar(prefill, decode) {
    if (prefill.length > 1) this.#prefill.textContent = `Prefill ${speed(prefill.at(-1)[0] - prefill[0][0], prefill.at(-1)[1] - prefill[0][1])}`;
    if (decode.length > 1) this.#decode.textContent = `Decode ${speed(decode.length - 1, decode.at(-1) - decode[0])}`;
  }

  #last(usage, timings, cached) {
    const read = usage.prompt_tokens - cached;
    if (read > 0 && timings.prefill_ms > 0) this.#prefill.textContent = `Prefill ${speed(read, timings.prefill_ms)}`;
    if (usage.completion_tokens > 0 && timings.decode_ms > 0) this.#decode.textContent = `Decode ${speed(usage.completion_tokens, timings.decode_ms)}`;
  }
}

customElements.define("pl-status-line", StatusLine);
