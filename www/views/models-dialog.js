// <pl-models>: which model answers: those that this site offers, those that this
// browser has kept, any other by its address or from a file. Sends "use" with a
// model, "file" with a File, and "remove" with the url of a copy to delete.

import { listed, modelAt, originOf } from "../lib/catalog.js";
import { fit, FIT_WORDS, memoryNeed } from "../lib/device.js";
import { emit, h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { icon } from "../lib/icons.js";

class Models extends HTMLElement {
  #list = h("ul", { class: "cards", "aria-label": "Models" });
  #room = h("p", { class: "hint" });
  #address = h("input", { id: "model", type: "text", inputMode: "url", required: true, placeholder: "https://…", spellcheck: false, autocomplete: "off", "aria-describedby": "model-hint model-problem" });
  #problem = h("p", { id: "model-problem", class: "hint alarm", role: "alert" });
  #file = h("input", { type: "file", accept: ".gguf", hidden: true, onchange: () => this.#chosen() });
  #dialog;

  connectedCallback() {
    if (this.firstChild) return;
    const form = h(
      "form",
      { onsubmit: (event) => this.#open(event), noValidate: true },
      h(
        "div",
        { class: "field" },
        h("label", { for: "model" }, "Any other GGUF model, by its address"),
        h("div", { class: "inline" }, this.#address, h("button", {}, "Open")),
        this.#problem,
        h("p", { class: "hint", id: "model-hint" }, "Its server has to allow other sites to read it (CORS). Nothing is downloaded before you agree."),
      ),
    );
    const disk = h("div", { class: "inline from-disk" }, h("button", { type: "button", onclick: () => this.#file.click() }, icon("file"), "Open a file of this device"), this.#file, h("p", { class: "hint" }, "Or drop a .gguf file anywhere on this page."));
    const close = h("form", { method: "dialog", class: "acts" }, h("button", { class: "primary" }, "Close"));
    this.#dialog = h("dialog", { "aria-labelledby": "models-title" }, h("h2", { id: "models-title", tabIndex: -1, autofocus: true }, "Model"), this.#list, this.#room, form, disk, close);
    this.append(this.#dialog);
  }

  /**
   * @param {object[]} stored  what PageLM.models() tells
   * @param {import("../lib/catalog.js").Model} [current] the model this page is about
   */
  async open(stored, current) {
    this.#problem.textContent = "";
    this.#dialog.showModal();
    await this.show(stored, current);
  }

  close() {
    this.#dialog.close();
  }

  /** As `open`, for a dialog that is open already. */
  async show(stored, current) {
    const models = await listed().catch(() => []);
    const known = new Set(models.map(({ url }) => url));
    if (current && !known.has(current.url)) models.push(current), known.add(current.url);
    for (const { url, bytes: size } of stored) if (!known.has(url)) models.push({ ...(await modelAt(url)), bytes: size });
    const copies = new Map(stored.map((entry) => [entry.url, entry]));
    this.#list.replaceChildren(...models.map((model) => this.#card(model, copies.get(model.url), model.url === current?.url)));
    await this.#tellRoom();
  }

  #card(model, copy, current) {
    const size = model.bytes ?? copy?.bytes;
    const need = memoryNeed({ ...model, bytes: size });
    const verdict = fit(need);
    const held = model.local ? "a file of this device" : copy?.complete ? "stored in this browser" : copy ? `partly stored, ${bytes(copy.bytes)}` : "not downloaded";
    const title = h("h3", {}, model.name, current && h("span", { class: "badge" }, "in use"));
    const facts = [size && bytes(size), held, !model.local && `from ${originOf(model.url)}`].filter(Boolean).join(" · ");
    const memory = need && h("p", { class: `hint ${verdict === "fits" ? "" : "alarm"}` }, `Needs about ${bytes(need)} of memory: ${FIT_WORDS[verdict]}.`);
    const licence = h("p", { class: "hint" }, "Licence: ", model.licence ?? "not known here", model.source && " · ", model.source && h("a", { href: model.source, target: "_blank", rel: "noopener noreferrer" }, "about this model"));
    const acts = h(
      "div",
      { class: "card-acts" },
      !current && h("button", { type: "button", "aria-label": `Use ${model.name}`, onclick: () => this.#use(model) }, "Use"),
      copy && h("button", { type: "button", class: "quiet", "aria-label": `Delete the stored copy of ${model.name}`, onclick: () => emit(this, "remove", model.url) }, icon("trash"), "Delete"),
    );
    return h("li", { class: current ? "card current" : "card", "aria-current": current ? "true" : undefined }, h("div", {}, title, h("p", { class: "hint" }, facts), memory, !model.local && licence), acts);
  }

  async #use(model) {
    this.close();
    emit(this, "use", model.local ? model : await modelAt(model.url));
  }

  async #open(event) {
    event.preventDefault();
    const address = this.#address.value.trim();
    try {
      if (!address) throw new Error("Write the address of a .gguf file first.");
      await this.#use(await modelAt(address));
      this.#address.value = "";
    } catch (error) {
      this.#problem.textContent = error.message;
      this.#address.focus();
    }
  }

  #chosen() {
    const [file] = this.#file.files;
    this.#file.value = "";
    this.close();
    emit(this, "file", file);
  }

  async #tellRoom() {
    const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
    this.#room.textContent = estimate?.quota ? `${bytes(estimate.usage ?? 0)} of ${bytes(estimate.quota)} used on this site.` : "";
  }
}

customElements.define("pl-models", Models);
