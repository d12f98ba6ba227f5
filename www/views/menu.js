// A menu under a button. Arrow keys, Home and End move, Escape closes, and the
// focus goes back to the button.

import { h } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

const MARGIN = 8;

/**
 * @param {HTMLElement} button
 * @param {{label: string, icon?: string, checked?: boolean, danger?: boolean, act: () => void}[]} items
 */
export function openMenu(button, items) {
  const closed = new AbortController();
  const menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": button.getAttribute("aria-label") ?? button.textContent });
  for (const { label, icon: name, checked, danger, act } of items) {
    const role = checked === undefined ? "menuitem" : "menuitemradio";
    const choose = () => {
      menu.hidePopover();
      act();
    };
    const item = h("button", { type: "button", role, class: danger ? "danger" : undefined, tabIndex: -1, onclick: choose }, name ? icon(name) : "", label);
    if (checked !== undefined) item.ariaChecked = String(checked);
    menu.append(item);
  }
  menu.addEventListener("keydown", (event) => move(menu, event));
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState === "open") return;
    button.ariaExpanded = "false";
    if (menu.contains(document.activeElement) || document.activeElement === document.body) button.focus();
    menu.remove();
    closed.abort();
  });
  // In the part of the page that it belongs to; of a dialog all else is inert.
  (button.closest("dialog, aside, header") ?? document.body).append(menu);
  menu.showPopover();
  window.addEventListener("resize", () => menu.hidePopover(), { once: true, signal: closed.signal });
  button.ariaExpanded = "true";
  place(menu, button);
  (menu.querySelector("[aria-checked=true]") ?? menu.firstElementChild).focus();
}

function place(menu, button) {
  const at = button.getBoundingClientRect();
  const own = menu.getBoundingClientRect();
  const rtl = getComputedStyle(button).direction === "rtl";
  const left = rtl ? at.left : at.right - own.width;
  const below = at.bottom + 4;
  const top = below + own.height + MARGIN > innerHeight ? Math.max(MARGIN, at.top - own.height - 4) : below;
  menu.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - own.width - MARGIN))}px`;
  menu.style.top = `${top}px`;
}

function move(menu, event) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: (at + 1) % items.length, ArrowUp: (at + items.length - 1) % items.length, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items[to].focus();
}
