// What an answer is made with. Each conversation has its own; a new one begins
// with what the last was set to.

const KEY = "pagelm.settings";

export const DEFAULTS = Object.freeze({
  system: "",
  temperature: 0.2,
  top_k: 40,
  top_p: 0.9,
  min_p: 0.05,
  repetition_penalty: 1,
  max_tokens: 512,
  seed: null,
});

/** Lowest, highest and step of each number. */
export const RANGES = Object.freeze({
  temperature: [0, 2, 0.05],
  top_k: [0, 200, 1],
  top_p: [0.05, 1, 0.05],
  min_p: [0, 0.5, 0.01],
  repetition_penalty: [1, 1.5, 0.05],
  max_tokens: [1, 32768, 1],
});

/** What a new conversation begins with. */
export function readSettings() {
  try {
    return sound(JSON.parse(localStorage.getItem(KEY)) ?? {});
  } catch {
    return { ...DEFAULTS };
  }
}

/** Where storage is refused they last as long as the page. */
export function writeSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Private mode, or storage is full: nothing here is worth an alarm.
  }
}

/** Settings of the right types and ranges, whatever was stored. */
export function sound(given) {
  const settings = { system: typeof given.system === "string" ? given.system : DEFAULTS.system };
  for (const [name, [low, high, step]] of Object.entries(RANGES)) {
    const value = Number.isFinite(given[name]) ? Math.min(high, Math.max(low, given[name])) : DEFAULTS[name];
    settings[name] = step === 1 ? Math.round(value) : value;
  }
  settings.seed = Number.isSafeInteger(given.seed) ? given.seed : null;
  return settings;
}

/** The fields of a request for an answer. */
export function sampling({ system: _, seed, ...fields }) {
  return seed === null ? fields : { ...fields, seed };
}
