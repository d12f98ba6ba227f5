// <pl-inspect-time>: when each part of an answer was there. The prompt is read
// many tokens at once, the answer is written one by one.

import { h } from "../lib/dom.js";
import { integer, speed } from "../lib/format.js";
import { picture, s } from "../lib/svg.js";

const WIDTH = 400;
const LANE = 26;
const COSTS = 90;

class InspectTime extends HTMLElement {
  /** @param {import("../lib/engine.js").Trace} [trace] */
  show(trace) {
    if (!trace || trace.decode.length === 0) return this.replaceChildren(h("p", { class: "hint" }, trace ? "No token came." : "The time line is that of an answer that this page has seen being written."));
    const { prefill, decode, cached } = trace;
    const read = (prefill.at(-1)?.[0] ?? 0) - cached;
    const readMs = prefill.at(-1)?.[1] ?? decode[0];
    const writeMs = decode.at(-1) - decode[0];
    const costs = decode.map((ms, i) => ms - (decode[i - 1] ?? readMs));
    const slowest = Math.max(...costs.slice(1), 0);
    const words = [
      read > 0 ? `Prefill: ${integer(read)} tokens, many at once, in ${integer(readMs)} ms (${speed(read, readMs)})${cached > 0 ? `; ${integer(cached)} more were known from before` : ""}.` : `Prefill: nothing to do, ${integer(cached)} tokens were known from before.`,
      decode.length > 1 ? `Decode: ${integer(decode.length)} pieces of text, one after the other, in ${integer(writeMs)} ms (${speed(decode.length - 1, writeMs)}); the slowest took ${slowest.toFixed(1)} ms.` : "Decode: one piece of text.",
    ];
    this.replaceChildren(
      h("figure", {}, lanes(prefill, decode, words.join(" ")), h("figcaption", { class: "hint" }, "From the question to the last token: above the prompt, below the answer")),
      h("figure", {}, bars(costs.slice(1), `What each of ${costs.length - 1} tokens cost, up to ${slowest.toFixed(1)} ms.`), h("figcaption", { class: "hint" }, `Milliseconds for each token after the first, up to ${slowest.toFixed(1)}`)),
      ...words.map((text) => h("p", {}, text)),
    );
  }
}

customElements.define("pl-inspect-time", InspectTime);

function lanes(prefill, decode, label) {
  const end = decode.at(-1) || 1;
  const x = (ms) => (ms / end) * WIDTH;
  const chunks = prefill.map(([, ms], i) => {
    const from = prefill[i - 1]?.[1] ?? 0;
    return s("rect", { x: x(from), y: 0, width: Math.max(1, x(ms) - x(from) - 0.5), height: LANE, rx: 1, class: i % 2 === 0 ? "prefill" : "prefill other" });
  });
  const tokens = decode.map((ms) => s("line", { x1: x(ms), x2: x(ms), y1: LANE + 6, y2: 2 * LANE + 6, class: "decode", "vector-effect": "non-scaling-stroke" }));
  const last = prefill.at(-1)?.[1];
  const border = last && s("line", { x1: x(last), x2: x(last), y1: 0, y2: 2 * LANE + 6, class: "border", "vector-effect": "non-scaling-stroke" });
  return picture(WIDTH, 2 * LANE + 6, label, ...chunks, ...tokens, border);
}

function bars(costs, label) {
  const most = Math.max(...costs, 1);
  const width = WIDTH / Math.max(costs.length, 1);
  return picture(WIDTH, COSTS, label, ...costs.map((ms, i) => s("rect", { x: i * width, y: COSTS - (ms / most) * COSTS, width: Math.max(0.6, width * 0.8), height: (ms / most) * COSTS, class: "cost" })));
}
