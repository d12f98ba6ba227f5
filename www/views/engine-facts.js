// What runs here, as a list: the model as it was loaded, and on what.

import { h } from "../lib/dom.js";
import { bytes, integer, parameters } from "../lib/format.js";

/** @param {object} [info] of the loaded model */
export function engineFacts(info) {
  if (!info) return [];
  const { architecture, parameters: count, quantization, context, variant, threads, memory, kv_cache } = info;
  const list = h("dl", { class: "facts" });
  const add = (term, detail) => list.append(h("div", {}, h("dt", {}, term), h("dd", {}, detail)));
  add("Architecture", architecture);
  add("Parameters", parameters(count));
  add("Quantisation", quantization);
  add("Context", `${integer(context)} tokens, kept as ${kv_cache}`);
  add("Binary", variant);
  add("Threads", crossOriginIsolated ? `${threads}` : `${threads}: this page is not isolated, so no more can be used`);
  add("Memory", bytes(memory.total));
  return [h("h3", {}, "What runs here"), list];
}
