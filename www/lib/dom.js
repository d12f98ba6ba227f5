// Elements without HTML strings.

import { icon } from "./icons.js";

/**
 * Makes an element. `on…` properties are listeners, names with a dash or
 * `role`, `for` and `class` are attributes, all others are set as properties.
 *
 * @param {string} tag
 * @param {object} [properties]
 * @param {...(Node | string | null | undefined | false)} children those that are empty are left out
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || ["role", "for", "class", "popover", "list"].includes(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** A button that is an icon; its label is for screen readers and as a hint. */
export function iconButton(name, label, onclick, properties = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...properties }, icon(name));
}

/** A quiet button of an icon and a word. */
export function actButton(name, label, onclick, properties = {}) {
  return h("button", { type: "button", class: "quiet", onclick, ...properties }, icon(name), label);
}

/** Sends a custom event up from an element. */
export function emit(element, type, detail) {
  element.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
}
