// <pl-progress>: a model on its way, from the network or from this device.
// Sends "cancel".

import { announce } from "../lib/announce.js";
import { emit, h } from "../lib/dom.js";
import { bytes, duration } from "../lib/format.js";
import { Meter } from "../lib/meter.js";

const REDRAW_MS = 100;
const TITLES = {
  start: (name) => `Starting ${name}`,
  download: (name) => `Downloading ${name}`,
  wait: (name) => `Another tab is downloading ${name}`,
  resume: (name) => `Resuming the download of ${name}`,
  retry: (name) => `Retrying ${name}`,
  repair: (name) => `Repairing the stored copy of ${name}`,
  cache: (name) => `Loading ${name} from this device`,
  pack: (name) => `Preparing ${name}`,
};

class Progress extends HTMLElement {
  /** The level of the title on its page. */
  heading = "h1";
  #title;
  #bar = h("progress", { "aria-labelledby": "progress-title", max: 1 });
  #amount = h("p", { class: "amount" });
  #rate = h("p", { class: "rate" });
  #name = "";
  #phase = "";
  #meter = new Meter();
  #drawn = 0;
  #quarter = 0;

  /**
   * Begins anew.
   * @param {import("../lib/catalog.js").Model} model
   * @param {boolean} stored whether it comes from this device
   */
  start(model, stored) {
    this.#title ??= h(this.heading, { tabIndex: -1, id: "progress-title" });
    this.#name = model.short;
    this.#drawn = this.#quarter = 0;
    this.#enter("start");
    this.#bar.removeAttribute("value");
    this.#amount.textContent = model.bytes ? bytes(model.bytes) : "";
    this.#rate.textContent = "";
    this.replaceChildren(
      this.#title,
      h("div", { class: "meter" }, this.#bar, this.#amount, this.#rate),
      h("div", { class: "acts" }, h("button", { type: "button", onclick: () => emit(this, "cancel") }, "Cancel")),
      stored ? h("p", { class: "note" }, "Nothing is fetched: the model is on this device.") : "",
    );
  }

  /** @param {{phase: string, loaded: number, total: number, retry?: object}} progress as the library reports it */
  update({ phase, loaded, total, retry }) {
    if (phase === "start") return;
    // Weights are packed as they arrive: that is worth words only once it is all that is left.
    if (phase === "pack" && this.#phase !== "pack" && this.#bar.value < 1) return;
    if (phase !== this.#phase) this.#enter(phase);
    if (retry) {
      this.#rate.textContent = `${retry.reason}; next attempt in ${duration(retry.wait_ms / 1000)}`;
      return;
    }
    this.#meter.sample(loaded);
    const now = performance.now();
    if (now - this.#drawn < REDRAW_MS && loaded < total) return;
    this.#drawn = now;
    this.#draw(loaded, total);
  }

  #enter(phase) {
    this.#phase = phase;
    this.#meter = new Meter();
    this.#title.textContent = (TITLES[phase] ?? TITLES.start)(this.#name);
  }

  #draw(loaded, total) {
    if (total > 0) this.#bar.value = loaded / total;
    else this.#bar.removeAttribute("value");
    this.#amount.textContent = total > 0 ? `${bytes(loaded)} of ${bytes(total)}` : bytes(loaded);
    const { rate } = this.#meter;
    const left = this.#meter.secondsLeft(total);
    const words = [rate > 0 && `${bytes(rate)}/s`, left > 0 && `${duration(left)} left`];
    this.#rate.textContent = words.filter(Boolean).join(" · ");
    this.#speak(loaded / total);
  }

  #speak(share) {
    const quarter = Math.floor(share * 4);
    if (!(quarter > this.#quarter) || quarter === 4) return;
    this.#quarter = quarter;
    announce(`${quarter * 25} percent.`);
  }
}

customElements.define("pl-progress", Progress);
