// <pl-settings>: what every answer is made with, and what runs here. Sends
// "settings" with the new settings at each change.

import { emit, h } from "../lib/dom.js";
import { bytes, integer, parameters } from "../lib/format.js";
import { DEFAULTS, sound } from "../lib/settings.js";

class Settings extends HTMLElement {
  #system = h("textarea", { id: "system", rows: 3, placeholder: "The model's own" });
  #temperature = h("input", { id: "temperature", type: "range", min: 0, max: 2, step: 0.05, "aria-describedby": "temperature-hint" });
  #degree = h("output", { for: "temperature" });
  #longest = h("input", { id: "max-tokens", type: "number", min: 1, max: 32768, inputMode: "numeric", required: true });
  #threads = h("select", { id: "threads", "aria-describedby": "threads-hint" }, h("option", { value: "auto" }, "Automatic"), h("option", { value: "1" }, "One"));
  #about = h("div", { class: "about" });
  #dialog;

  connectedCallback() {
    if (this.firstChild) return;
    const form = h(
      "form",
      { method: "dialog", oninput: () => this.#changed() },
      field("System prompt", this.#system),
      field("Temperature", this.#temperature, this.#degree, hint("temperature-hint", "0 always takes the likeliest word; higher is freer.")),
      field("Longest answer, in tokens", this.#longest),
      field("Threads", this.#threads, hint("threads-hint", "Takes effect when the model is loaded next.")),
      this.#about,
      h("div", { class: "acts" }, h("button", { class: "primary" }, "Done"), h("button", { type: "button", onclick: () => this.#fill(DEFAULTS, true) }, "Reset")),
    );
    this.#dialog = h("dialog", { "aria-labelledby": "settings-title" }, h("h2", { id: "settings-title", tabIndex: -1, autofocus: true }, "Settings"), form);
    this.append(this.#dialog);
  }

  /**
   * @param {object} settings
   * @param {object} [info] of the model that is loaded
   */
  open(settings, info) {
    this.#fill(settings);
    this.#about.replaceChildren(...(info ? about(info) : []));
    this.#dialog.showModal();
  }

  #fill(settings, changed = false) {
    this.#system.value = settings.system;
    this.#temperature.value = settings.temperature;
    this.#longest.value = settings.max_tokens;
    this.#threads.value = settings.threads;
    this.#showDegree();
    if (changed) this.#changed();
  }

  #changed() {
    this.#showDegree();
    emit(
      this,
      "settings",
      sound({
        system: this.#system.value,
        temperature: this.#temperature.valueAsNumber,
        max_tokens: this.#longest.valueAsNumber,
        threads: this.#threads.value,
      }),
    );
  }

  #showDegree() {
    this.#degree.textContent = this.#temperature.valueAsNumber.toFixed(2);
  }
}

function field(label, control, ...more) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, ...more);
}

function hint(id, text) {
  return h("p", { class: "hint", id }, text);
}

function about({ architecture, parameters: count, quantization, context, variant, threads, memory }) {
  const list = h("dl", { class: "facts" });
  const add = (term, detail) => list.append(h("div", {}, h("dt", {}, term), h("dd", {}, detail)));
  add("Architecture", architecture);
  add("Parameters", parameters(count));
  add("Quantisation", quantization);
  add("Context", `${integer(context)} tokens`);
  add("Binary", variant);
  add("Threads", crossOriginIsolated ? `${threads}` : `${threads} (this server does not send the isolation headers, so no more can be used)`);
  if (memory > 0) add("Memory", bytes(memory));
  return [h("h3", {}, "What runs here"), list];
}

customElements.define("pl-settings", Settings);
