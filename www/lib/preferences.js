// The reader's wishes for the page itself: theme, threads, the last model.

const PREFIX = "pagelm.";

/** A remembered text, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Remembers a text; null forgets it. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Then it lasts as long as the page.
  }
}

export const THEMES = Object.freeze({ auto: "As the device", light: "Light", dark: "Dark" });

export function theme() {
  const kept = recall("theme");
  return kept in THEMES ? kept : "auto";
}

export function setTheme(name) {
  remember("theme", name === "auto" ? null : name);
  applyTheme();
}

/** Colours the page, and the browser's own bars around it. */
export function applyTheme() {
  const name = theme();
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    const own = meta.dataset.scheme;
    meta.media = name === "auto" ? `(prefers-color-scheme: ${own})` : own === name ? "all" : "not all";
  }
}

/** Threads to load with: undefined leaves it to the library. */
export function threads() {
  return recall("threads") === "1" ? 1 : undefined;
}

export function setThreads(count) {
  remember("threads", count === 1 ? "1" : null);
}
