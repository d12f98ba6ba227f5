// System prompts to choose from: some to begin with, and the reader's own.

import { newId } from "./id.js";

/** @typedef {{ id: string, name: string, text: string, own: boolean }} Preset */

const BUILT_IN = [
  ["Short answers", "You are a helpful assistant. Answer in at most three sentences."],
  ["Explain simply", "You explain things to a curious twelve-year-old, with one everyday example."],
  ["Editor", "You are a careful editor. Improve the text you are given: correct its spelling and grammar, keep its meaning and tone. Answer with the improved text only."],
  ["Translator", "You are a translator. Translate what you are given into English. Answer with the translation only."],
  ["Programmer", "You are an experienced programmer. Answer with short, working code and one sentence about it."],
].map(([name, text]) => Object.freeze({ id: `built-in-${name}`, name, text, own: false }));

/** @returns {Promise<Preset[]>} */
export async function presets(database) {
  const own = (await database.all("presets")).map((preset) => ({ ...preset, own: true }));
  return [...BUILT_IN, ...own.sort((a, b) => a.name.localeCompare(b.name))];
}

export function keepPreset(database, name, text) {
  return database.put("presets", { id: newId(), name, text });
}

export function removePreset(database, id) {
  return database.remove([["presets", id]]);
}
