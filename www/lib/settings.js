// The reader's settings, kept in localStorage where the browser lets us.

const KEY = "pagelm.settings";

export const DEFAULTS = Object.freeze({
  system: "",
  temperature: 0.2,
  max_tokens: 512,
  threads: "auto",
});

/** The stored settings over the defaults; those alone where nothing can be read. */
export function readSettings() {
  try {
    return sound(JSON.parse(localStorage.getItem(KEY)) ?? {});
  } catch {
    return { ...DEFAULTS };
  }
}

/** Keeps the settings; where storage is refused they last as long as the page. */
export function writeSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private mode, or storage is full: nothing here is worth an alarm.
  }
}

/** Settings of the right types and ranges, whatever was stored. */
export function sound(given) {
  return {
    system: typeof given.system === "string" ? given.system : DEFAULTS.system,
    temperature: clamp(given.temperature, 0, 2, DEFAULTS.temperature),
    max_tokens: Math.round(clamp(given.max_tokens, 1, 32768, DEFAULTS.max_tokens)),
    threads: given.threads === "1" ? "1" : "auto",
  };
}

function clamp(value, low, high, otherwise) {
  return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise;
}
