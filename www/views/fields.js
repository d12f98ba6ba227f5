// Fields of forms: a label, a control, and what there is to say about it.

import { h } from "../lib/dom.js";

/** @param {HTMLElement} control with an id */
export function field(label, control, ...more) {
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, ...more);
}

export function hint(id, text) {
  return h("p", { class: "hint", id }, text);
}

/**
 * A number on a scale, with its value beside the label.
 *
 * @param {string} id
 * @param {[low: number, high: number, step: number]} range
 * @param {string} [words]
 * @returns {{ element: HTMLElement, input: HTMLInputElement, get: () => number, set: (value: number) => void }}
 */
export function slider(id, label, [min, max, step], words) {
  const input = h("input", { id, type: "range", min, max, step, "aria-describedby": words && `${id}-hint` });
  const value = h("output", { for: id });
  const digits = step < 1 ? 2 : 0;
  const show = () => (value.textContent = input.valueAsNumber.toFixed(digits));
  input.addEventListener("input", show);
  const element = h("div", { class: "field slider" }, h("label", { for: id }, label), value, input, words && hint(`${id}-hint`, words));
  return {
    element,
    input,
    get: () => input.valueAsNumber,
    set: (number) => {
      input.value = number;
      show();
    },
  };
}
