// <pl-room>: there is no room to store a model. Which of the others may go, or whether to run
// without storing; nothing is deleted unasked.

import { nameOf } from "../lib/catalog.js";
import { h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

class Room extends HTMLElement {
  /**
   * Resolves with what `onQuota` of `PageLM.load` may answer.
   *
   * @param {{ needed: number, available: number, models: { url: string, bytes: number }[] }} quota
   * @returns {Promise<string[] | "memory" | "fail">}
   */
  async ask({ needed, available, models }) {
    const names = await Promise.all(models.map(({ url }) => nameOf(url)));
    const lacking = needed - available;
    const chosen = new Set();
    const sum = h("p", { class: "hint", role: "status" });
    const remove = h("button", { class: "primary danger", value: "delete" }, "Delete and store");
    const count = () => {
      const freed = models.filter(({ url }) => chosen.has(url)).reduce((total, model) => total + model.bytes, 0);
      const missing = lacking - freed;
      sum.textContent = missing > 0 ? `${bytes(missing)} more have to go.` : "That is enough.";
      remove.disabled = missing > 0;
    };
    const choice = ({ url, bytes: size }, i) => {
      const box = h("input", { type: "checkbox", onchange: () => (box.checked ? chosen.add(url) : chosen.delete(url), count()) });
      return h("li", {}, h("label", { class: "choice" }, box, h("span", {}, names[i]), h("span", { class: "hint" }, bytes(size))));
    };
    const list = models.length > 0 && h("ul", { class: "choices", "aria-label": "Stored models" }, ...models.map(choice));
    const without = h("button", { class: models.length > 0 ? "" : "primary", value: "memory" }, "Run without storing");
    const form = h(
      "form",
      { method: "dialog" },
      h("p", {}, `The model takes ${bytes(needed)}, and this browser has ${bytes(Math.max(0, available))} left for this site. `, list ? "Delete what you no longer need, or run it this once without storing it: then it is fetched again at the next visit." : "It can run this once without being stored: then it is fetched again at the next visit."),
      list,
      list && sum,
      h("div", { class: "acts" }, list && remove, without, h("button", { value: "fail" }, "Cancel")),
    );
    const dialog = h("dialog", { class: "small", "aria-labelledby": "room-title" }, h("h2", { id: "room-title", tabIndex: -1, autofocus: true }, "Not enough room"), form);
    count();
    this.replaceChildren(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        this.replaceChildren();
        resolve(dialog.returnValue === "delete" ? [...chosen] : dialog.returnValue === "memory" ? "memory" : "fail");
      });
    });
  }
}

customElements.define("pl-room", Room);
