// A button that copies text and says so.

import { announce } from "../lib/announce.js";
import { h } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

const SHOWN_MS = 1600;

/**
 * @param {string} label  the button's accessible name
 * @param {() => string} text what it copies, at the time
 */
export function copyButton(label, text) {
  const word = h("span", {}, "Copy");
  const button = h("button", { type: "button", class: "quiet", "aria-label": label }, icon("copy"), word);
  button.addEventListener("click", async () => {
    const done = await copy(text());
    word.textContent = done ? "Copied" : "Not allowed";
    announce(done ? "Copied." : "The browser does not allow copying here.");
    setTimeout(() => (word.textContent = "Copy"), SHOWN_MS);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
