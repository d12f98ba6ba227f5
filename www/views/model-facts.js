// What will be fetched, as a list: which model, how much, from where.

import { originOf } from "../lib/catalog.js";
import { h } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

/**
 * @param {import("../lib/catalog.js").Model} model
 * @param {[string, string][]} [more] further rows, as term and detail
 */
export function modelFacts(model, more = []) {
  const list = h("dl", { class: "facts" });
  const add = (term, ...detail) => list.append(h("div", {}, h("dt", {}, term), h("dd", {}, ...detail)));
  add("Model", model.name);
  add("Size", model.bytes ? bytes(model.bytes) : "unknown");
  add("From", originOf(model.url));
  add("Licence", ...licence(model));
  for (const row of more) add(...row);
  return list;
}

function licence(model) {
  if (!model.licence) return ["Not known here: see where the model comes from."];
  if (!model.source) return [model.licence];
  return [model.licence, " · ", h("a", { href: model.source, target: "_blank", rel: "noopener noreferrer" }, "about this model")];
}
