// A measurement in words: titles, and the text that visitors can paste.

import { bytes, integer } from "./format.js";
import { MEASURES, median } from "./measure.js";

/**
 * @typedef {object} Measured
 * @property {import("./catalog.js").Model} model
 * @property {object} info             of the loaded model
 * @property {object} lengths          of the prompts and answers, in tokens
 * @property {Column[]} columns        one for each number of threads, the fewest first
 * @property {number} planned          how many columns there should have been
 * @property {number} [stored]         milliseconds of a load from this browser's storage
 *
 * @typedef {object} Column
 * @property {number} threads
 * @property {string} variant
 * @property {Record<string, number[]>} rates tokens a second, by measure
 */

/** What a measure is called; without a key, what comes before them. */
export function titleOf(key, { prefill, depth }) {
  if (key === undefined) return "Warming up";
  if (key === "prefill") return `Prefill of ${integer(prefill)} tokens`;
  return key === "short" ? "Decode at short context" : `Decode after ${integer(depth)} tokens`;
}

export function threadsOf(count) {
  return count === 1 ? "1 thread" : `${integer(count)} threads`;
}

/** Tokens a second as people read them. */
export function rate(value) {
  return value < 100 ? value.toFixed(1) : integer(value);
}

/** All of it as plain text, narrow enough for any message. */
export function asText({ model, info, lengths, columns, stored }) {
  return [
    `pagelm, ${new Date().toISOString().slice(0, 10)}`,
    model.name,
    [info.quantization, model.bytes && bytes(model.bytes)].filter(Boolean).join(", "),
    "",
    ...MEASURES.flatMap(({ key }) => [`${titleOf(key, lengths)}, tok/s`, ...columns.map((column) => line(column, key)), ""]),
    ...(stored ? [`Load from storage: ${(stored / 1000).toFixed(2)} s`] : []),
    `Binary: ${columns.map(({ variant, threads }) => `${variant} (${threads})`).join(", ")}`,
    `Cores reported: ${navigator.hardwareConcurrency ?? "none"}`,
    `Browser: ${navigator.userAgent}`,
  ].join("\n");
}

function line({ threads, rates }, key) {
  const values = rates[key];
  const spread = values.length > 1 ? ` (${rate(Math.min(...values))} to ${rate(Math.max(...values))})` : "";
  return `  ${threadsOf(threads)}: ${rate(median(values))}${spread}`;
}
