// A file that goes with a question: its name, and how much of it the model gets.

import { h, iconButton } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { integer } from "../lib/format.js";

/**
 * @param {import("../lib/talk.js").Attachment} file
 * @param {() => void} [remove] takes it away again
 */
export function fileChip(file, remove) {
  const { name, kept, total } = file;
  const cut = kept < total;
  const size = cut ? `first ${integer(kept)} of ${integer(total)} tokens` : `${integer(kept)} tokens`;
  const open = h("button", { type: "button", class: "chip-name", onclick: () => show(file) }, icon("file"), h("span", { class: "unseen" }, "Show "), h("span", { dir: "auto" }, name), h("span", { class: "unseen" }, ", "), h("small", { class: cut ? "cut" : undefined }, size));
  return h("div", { class: "chip" }, open, remove && iconButton("close", `Remove ${name}`, remove));
}

/** The text as the model gets it, with the place of the cut. */
function show({ name, text, kept, total }) {
  const cut = kept < total && h("p", { class: "cut-mark" }, `Cut here: the other ${integer(total - kept)} tokens do not fit into the context.`);
  const close = h("form", { method: "dialog", class: "acts" }, h("button", { class: "primary" }, "Close"));
  const dialog = h("dialog", { class: "wide", "aria-label": name }, h("h2", { tabIndex: -1, autofocus: true }, name), h("pre", { class: "file-text", tabIndex: 0, dir: "auto" }, text), cut, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
