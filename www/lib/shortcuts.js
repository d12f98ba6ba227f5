// The keyboard shortcuts: one list for the page and for its help sheet. `Mod` is
// ⌘ on Apple's devices and Ctrl elsewhere.

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

/** Those without an act are the composer's and the browser's own. */
export const SHORTCUTS = Object.freeze([
  { keys: "Enter", words: "Send the question" },
  { keys: "Shift+Enter", words: "New line in the question" },
  { keys: "ArrowUp", words: "Change the last question, from an empty field" },
  { keys: "Escape", words: "Stop the answer", act: "stop" },
  { keys: "Mod+Shift+O", words: "New chat", act: "begin" },
  { keys: "Mod+K", words: "Search conversations", act: "search" },
  { keys: "Mod+Shift+Enter", words: "Regenerate the answer", act: "regenerate" },
  { keys: "Mod+Shift+L", words: "Write a question", act: "write" },
  { keys: "Mod+I", words: "Inspect the answer", act: "inspect" },
  { keys: "Mod+B", words: "Show or hide the conversations", act: "side" },
  { keys: "Mod+,", words: "Settings", act: "settings" },
  { keys: "Mod+/", words: "This sheet", act: "help" },
]);

/**
 * Calls the acts by their names.
 * @param {Record<string, () => void>} acts
 */
export function listen(acts) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const shortcut = SHORTCUTS.find(({ keys, act }) => act && matches(event, keys.split("+")));
    // A dialog has its own keys: Escape closes it.
    if (!shortcut || document.querySelector("dialog[open], [popover]:popover-open")) return;
    if (shortcut.act !== "stop") event.preventDefault();
    acts[shortcut.act]();
  });
}

function matches(event, parts) {
  const key = parts.at(-1);
  const mod = APPLE ? event.metaKey : event.ctrlKey;
  const other = APPLE ? event.ctrlKey : event.metaKey;
  if (mod !== parts.includes("Mod") || event.shiftKey !== parts.includes("Shift") || event.altKey || other) return false;
  return event.key.toUpperCase() === key.toUpperCase();
}

/** As they stand on the reader's keyboard. */
export function keyNames(keys) {
  const names = APPLE ? { Mod: "⌘", Shift: "⇧", Enter: "↩", Escape: "esc" } : { Mod: "Ctrl", Escape: "Esc" };
  return keys.split("+").map((key) => ({ ...names, ArrowUp: "↑" })[key] ?? key);
}
