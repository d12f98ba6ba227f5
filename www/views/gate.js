// <pl-gate>: what stands between the reader and the model: the question whether
// to download it, the load, or what went wrong. Nothing while the model is ready.

import { announce } from "../lib/announce.js";
import { h } from "../lib/dom.js";
import "./problem.js";
import "./progress.js";
import "./welcome.js";

class Gate extends HTMLElement {
  #host;
  #views = {
    asking: h("pl-welcome", { hidden: true }),
    loading: h("pl-progress", { hidden: true, heading: "h2" }),
    failed: h("pl-problem", { hidden: true, heading: "h2" }),
  };

  connectedCallback() {
    if (!this.firstChild) this.append(...Object.values(this.#views));
  }

  /** @param {import("../lib/host.js").Host} host */
  start(host) {
    this.#host = host;
    host.addEventListener("state", () => this.#draw());
    host.addEventListener("progress", ({ detail }) => this.#views.loading.update(detail));
    this.#views.asking.addEventListener("accept", () => host.load());
    this.#views.asking.addEventListener("check", () => host.check());
    this.#views.loading.addEventListener("cancel", () => host.cancel());
    this.#draw();
  }

  #draw() {
    const { state, model, stored, room, error } = this.#host;
    const held = this.contains(document.activeElement);
    this.hidden = state === "ready" || state === "starting";
    const known = Boolean(stored?.complete);
    if (state === "asking") this.#views.asking.show(model, stored, room);
    if (state === "loading") {
      this.#views.loading.start({ ...model, bytes: model.bytes ?? stored?.bytes }, known || model.local);
      announce(known || model.local ? `Loading ${model.name} from this device.` : `Downloading ${model.name}.`);
    }
    if (state === "failed") {
      this.#views.failed.show(error, "The model could not be loaded");
      announce(error.message);
    }
    if (state === "ready") announce(`${model.short} is ready.`);
    for (const [name, view] of Object.entries(this.#views)) view.hidden = name !== state;
    if (held) this.#views[state]?.querySelector("h2")?.focus();
  }
}

customElements.define("pl-gate", Gate);
