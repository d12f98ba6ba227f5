// <pl-settings>: what the answers of this conversation are made with, what this
// page is like, and what runs here. Sends "settings" at each change, "theme" and
// "threads".

import { emit, h } from "../lib/dom.js";
import { THEMES, theme, threads } from "../lib/preferences.js";
import { keepPreset, presets, removePreset } from "../lib/presets.js";
import { DEFAULTS, RANGES, sound } from "../lib/settings.js";
import { askText } from "./ask.js";
import { engineFacts } from "./engine-facts.js";
import { field, hint, slider } from "./fields.js";

const NUMBERS = {
  temperature: ["Temperature", "0 always takes the likeliest word; higher is freer."],
  top_k: ["Top-k", "Chooses among this many of the likeliest tokens; 0 is no limit."],
  top_p: ["Top-p", "Chooses among the likeliest tokens that are this probable together."],
  min_p: ["Min-p", "Leaves out tokens less probable than this share of the likeliest."],
  repetition_penalty: ["Repetition penalty", "Above 1, what was said lately is less probable."],
};

class Settings extends HTMLElement {
  #database;
  #presets = [];
  #preset = h("select", { id: "preset", onchange: () => this.#choose() });
  #keep = h("button", { type: "button", class: "quiet", onclick: () => this.#keepPreset() }, "Keep as preset");
  #forget = h("button", { type: "button", class: "quiet", onclick: () => this.#forgetPreset() }, "Delete preset");
  #system = h("textarea", { id: "system", rows: 3, dir: "auto", "aria-describedby": "system-hint" });
  #suits = h("p", { class: "hint", id: "system-hint" });
  #longest = h("input", { id: "max_tokens", type: "number", min: RANGES.max_tokens[0], max: RANGES.max_tokens[1], inputMode: "numeric", required: true });
  #policy = h("select", { id: "context_policy" }, h("option", { value: "shift" }, "Forget the oldest"), h("option", { value: "stop" }, "Stop, and say so"));
  #seed = h("input", { id: "seed", type: "number", inputMode: "numeric", placeholder: "Another for each answer", "aria-describedby": "seed-hint" });
  #sliders = Object.fromEntries(Object.entries(NUMBERS).map(([name, [label, words]]) => [name, slider(name, label, RANGES[name], words)]));
  #theme = h("select", { id: "theme", onchange: () => emit(this, "theme", this.#theme.value) }, ...Object.entries(THEMES).map(([value, words]) => h("option", { value }, words)));
  #threads = h("select", { id: "threads", "aria-describedby": "threads-hint", onchange: () => emit(this, "threads", this.#threads.value === "1" ? 1 : undefined) }, h("option", { value: "auto" }, "Automatic"), h("option", { value: "1" }, "One"));
  #about = h("section", { class: "about" });
  #dialog;

  connectedCallback() {
    if (this.firstChild) return;
    const conversation = h(
      "section",
      { oninput: ({ target }) => target !== this.#preset && this.#changed() },
      h("h3", {}, "This conversation"),
      field("Preset", this.#preset, h("div", { class: "inline" }, this.#keep, this.#forget)),
      field("System prompt", this.#system, this.#suits),
      this.#sliders.temperature.element,
      field("Longest answer, in tokens", this.#longest),
      field("When the context is full", this.#policy),
      h(
        "details",
        {},
        h("summary", {}, "More about sampling"),
        ...["top_k", "top_p", "min_p", "repetition_penalty"].map((name) => this.#sliders[name].element),
        field("Seed", this.#seed, hint("seed-hint", "The same seed gives the same answer to the same question.")),
      ),
      h("button", { type: "button", class: "quiet", onclick: () => this.#fill(DEFAULTS, true) }, "Reset"),
    );
    const page = h(
      "section",
      {},
      h("h3", {}, "This page"),
      field("Theme", this.#theme),
      field("Threads", this.#threads, hint("threads-hint", "Takes effect when the model is loaded next.")),
    );
    const form = h("form", { method: "dialog" }, conversation, page, this.#about, h("div", { class: "acts" }, h("button", { class: "primary" }, "Done")));
    this.#dialog = h("dialog", { "aria-labelledby": "settings-title" }, h("h2", { id: "settings-title", tabIndex: -1, autofocus: true }, "Settings"), form);
    this.append(this.#dialog);
  }

  /** @param {import("../lib/database.js").Database} database where presets are kept */
  start(database) {
    this.#database = database;
    this.#listPresets();
  }

  /**
   * @param {object} settings of the conversation
   * @param {object} [info]   of the model that is loaded
   * @param {import("../lib/catalog.js").Model} [model]
   */
  async open(settings, info, model) {
    this.#system.placeholder = model?.system ?? "";
    this.#suits.textContent = model?.system ? `Where this is empty, ${model.short} is told: “${model.system}”` : "Where this is empty, the model’s own is taken.";
    this.#fill(settings);
    this.#theme.value = theme();
    this.#threads.value = threads() === 1 ? "1" : "auto";
    this.#about.replaceChildren(...engineFacts(info));
    this.#dialog.showModal();
    // Another tab may have kept others.
    await this.#listPresets();
    this.#matchPreset();
  }

  #fill(settings, changed = false) {
    this.#system.value = settings.system;
    this.#longest.value = settings.max_tokens;
    this.#policy.value = settings.context_policy;
    this.#seed.value = settings.seed ?? "";
    for (const [name, { set }] of Object.entries(this.#sliders)) set(settings[name]);
    if (changed) this.#changed();
    else this.#matchPreset();
  }

  #changed() {
    this.#matchPreset();
    const numbers = Object.fromEntries(Object.entries(this.#sliders).map(([name, { get }]) => [name, get()]));
    const seed = this.#seed.value === "" ? null : this.#seed.valueAsNumber;
    emit(this, "settings", sound({ system: this.#system.value, max_tokens: this.#longest.valueAsNumber, context_policy: this.#policy.value, seed, ...numbers }));
  }

  async #listPresets() {
    this.#presets = await presets(this.#database);
    this.#preset.replaceChildren(h("option", { value: "" }, "None"), ...this.#presets.map(({ id, name }) => h("option", { value: id }, name)), h("option", { value: "own", hidden: true }, "Your own words"));
  }

  #choose() {
    const chosen = this.#presets.find(({ id }) => id === this.#preset.value);
    this.#system.value = chosen?.text ?? "";
    this.#changed();
  }

  /** Shows which preset the prompt is, and what can be done with it. */
  #matchPreset() {
    const text = this.#system.value.trim();
    const match = this.#presets.find((preset) => preset.text.trim() === text);
    this.#preset.value = text === "" ? "" : (match?.id ?? "own");
    this.#keep.hidden = text === "" || Boolean(match);
    this.#forget.hidden = !match?.own;
  }

  async #keepPreset() {
    const name = await askText({ title: "Keep this system prompt", label: "Name of the preset" });
    if (!name) return;
    await keepPreset(this.#database, name, this.#system.value);
    await this.#listPresets();
    this.#matchPreset();
  }

  async #forgetPreset() {
    await removePreset(this.#database, this.#preset.value);
    await this.#listPresets();
    this.#matchPreset();
    this.#preset.focus();
  }
}

customElements.define("pl-settings", Settings);
