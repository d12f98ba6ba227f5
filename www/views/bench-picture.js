// The measurement as a picture: bars in SVG. Lengths are shares of the width and
// of the text's size, so it fits every screen and follows the reader's settings.

import { MEASURES, median } from "../lib/measure.js";
import { rate, threadsOf, titleOf } from "../lib/measured.js";

/** In em: a heading, a bar with its words above, the room between measures. */
const HEADING = 2;
const ROW = 2.75;
const BAR = 0.5;
const GAP = 1.5;

/** @param {import("../lib/measured.js").Measured} measured */
export function picture({ lengths, columns }) {
  const group = HEADING + columns.length * ROW + GAP;
  const height = MEASURES.length * group - GAP;
  const groups = MEASURES.map(({ key }, i) => bars(i * group, titleOf(key, lengths), rows(columns, key), largest(columns, key)));
  return svg("svg", { class: "picture", role: "img", "aria-label": inWords(lengths, columns), width: "100%", height: em(height) }, ...groups);
}

function bars(top, title, rows, largest) {
  const heading = [svg("text", { class: "heading", y: em(top + 1) }, title), atEnd(top + 1, "unit", "tok/s")];
  const drawn = rows.flatMap(({ words, value }, i) => {
    const base = top + HEADING + i * ROW;
    const last = i === rows.length - 1 ? "most" : "fewer";
    return [
      svg("text", { y: em(base + 1) }, words),
      atEnd(base + 1, "value", rate(value)),
      svg("rect", { class: last, y: em(base + 1.5), width: `${(value / largest) * 100}%`, height: em(BAR), rx: 2 }),
    ];
  });
  return svg("g", {}, ...heading, ...drawn);
}

function atEnd(y, style, words) {
  return svg("text", { class: style, x: "100%", y: em(y), "text-anchor": "end" }, words);
}

function rows(columns, key) {
  return columns.map(({ threads, rates }) => ({ words: threadsOf(threads), value: median(rates[key]) }));
}

/** Both kinds of decode have one scale, prefill has its own. */
function largest(columns, key) {
  const keys = key === "prefill" ? ["prefill"] : MEASURES.map(({ key }) => key).filter((key) => key !== "prefill");
  return Math.max(...keys.flatMap((key) => rows(columns, key).map(({ value }) => value)));
}

/** For those who do not see it. */
function inWords(lengths, columns) {
  const groups = MEASURES.map(({ key }) => `${titleOf(key, lengths)}: ${rows(columns, key).map(({ words, value }) => `${words} ${rate(value)}`).join(", ")}`);
  return `Bars of tokens a second. ${groups.join(". ")}.`;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function em(value) {
  return `${value}em`;
}
