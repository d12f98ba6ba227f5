// Small questions to the reader: a text, or whether to go on.

import { h } from "../lib/dom.js";

/**
 * Asks for a line of text.
 * @returns {Promise<string | null>} null if nothing is to be done
 */
export function askText({ title, label, value = "", action = "Save" }) {
  const field = h("input", { id: "asked-text", value, required: true, autocomplete: "off", maxLength: 200 });
  return ask(title, action, "primary", h("div", { class: "field" }, h("label", { for: "asked-text" }, label), field), () => field.value.trim() || null, field);
}

/** Asks before something is done that cannot be undone. */
export async function askWhether({ title, text, action }) {
  return (await ask(title, action, "primary danger", h("p", {}, text), () => true)) ?? false;
}

function ask(title, action, style, body, outcome, field) {
  const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", { method: "dialog" }, body, h("div", { class: "acts" }, h("button", { class: style, value: "yes" }, action), cancel));
  const dialog = h("dialog", { class: "small", "aria-labelledby": "asked" }, h("h2", { id: "asked" }, title), form);
  document.body.append(dialog);
  dialog.showModal();
  (field ?? cancel).focus();
  field?.select();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? outcome() : null);
      dialog.remove();
    });
  });
}
