// <pl-inspect-memory>: the KV cache as the sequence grows, by its formula and as
// the engine holds it.

import { kvBytes } from "../lib/analysis.js";
import { h } from "../lib/dom.js";
import { memoryTaken } from "../lib/device.js";
import { bytes, integer } from "../lib/format.js";
import { picture, s } from "../lib/svg.js";

const WIDTH = 400;
const HEIGHT = 150;

class InspectMemory extends HTMLElement {
  /**
   * @param {object} [lm]
   * @param {{ tokens?: number, message?: object }} [subject] how long the sequence is
   */
  show(lm, subject) {
    if (!lm) return this.replaceChildren();
    const { info } = lm;
    const usage = subject?.message?.trace?.usage;
    const tokens = subject?.tokens ?? (usage ? usage.prompt_tokens + usage.completion_tokens : 0);
    const used = kvBytes(info, tokens);
    const { layers, heads, head_dim } = info.kv_shape;
    const facts = h("dl", { class: "facts" });
    const add = (term, detail) => facts.append(h("div", {}, h("dt", {}, term), h("dd", {}, detail)));
    add("A token", `${integer(kvBytes(info, 1))} bytes = 2 × ${layers} layers × ${heads} heads × ${head_dim} numbers in ${info.kv_cache}`);
    add("This talk", `${integer(used)} bytes by the formula, for ${integer(tokens)} tokens`);
    add("The context", `${integer(kvBytes(info, info.context))} bytes by the formula, for ${integer(info.context)} tokens`);
    add("Held", `${integer(info.memory.kv_cache)} bytes: allocated once, so that no token waits for memory`);
    add("Weights", bytes(info.memory.weights));
    add("Working space", bytes(info.memory.scratch));
    add("In all", `${bytes(memoryTaken(info.memory))} of memory`);
    add("Addresses", `${bytes(info.memory.total)}: what is not written to takes no memory`);
    const caption = `Keys and values grow with every token; the line is the formula, the mark this talk`;
    this.replaceChildren(h("figure", {}, chart(info, tokens), h("figcaption", { class: "hint" }, caption)), facts);
  }
}

customElements.define("pl-inspect-memory", InspectMemory);

function chart(info, tokens) {
  const { context, memory } = info;
  const top = memory.kv_cache * 1.08;
  const x = (n) => (n / context) * WIDTH;
  const y = (size) => HEIGHT - (size / top) * HEIGHT;
  const label = `KV cache: ${bytes(kvBytes(info, tokens))} for ${integer(tokens)} tokens, of ${bytes(memory.kv_cache)} for ${integer(context)}.`;
  const stroke = { "vector-effect": "non-scaling-stroke" };
  return picture(
    WIDTH,
    HEIGHT,
    label,
    s("rect", { x: 0, y: y(memory.kv_cache), width: WIDTH, height: HEIGHT - y(memory.kv_cache), class: "held" }),
    s("polygon", { points: `0,${HEIGHT} ${x(tokens)},${y(kvBytes(info, tokens))} ${x(tokens)},${HEIGHT}`, class: "used" }),
    s("line", { x1: 0, y1: HEIGHT, x2: WIDTH, y2: y(kvBytes(info, context)), class: "formula", ...stroke }),
    s("line", { x1: x(tokens), x2: x(tokens), y1: 0, y2: HEIGHT, class: "border", ...stroke }),
  );
}
