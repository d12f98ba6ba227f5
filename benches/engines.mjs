// Which engines there are, what they are called in the tables, and which of
// them can be measured here. Each is a file in engines/ that runs in the page,
// except llama.cpp itself (native.mjs). All read the same GGUF file, except the
// one with a file of its own.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../tests/browser/fixtures.mjs";

const WLLAMA = "node_modules/@wllama/wllama";
const WLLAMA_2 = "node_modules/wllama2";
const TRANSFORMERS = "transformers/node_modules/@huggingface/transformers";

const ENGINES = {
  pagelm: { title: () => "pagelm" },
  "pagelm-opfs": { byName: true, title: () => "pagelm, OPFS" },
  wllama: { folder: WLLAMA, title: (version) => `wllama ${version}` },
  "wllama-tuned": { folder: WLLAMA, title: (version) => `wllama ${version}, tuned` },
  wllama2: { folder: WLLAMA_2, title: (version) => `wllama ${version}` },
  "wllama2-tuned": { folder: WLLAMA_2, title: (version) => `wllama ${version}, tuned` },
  transformers: { folder: TRANSFORMERS, needs: "onnx", ownFile: true, title: (version) => `transformers.js ${version}` },
  native: { needs: "llama-bench", title: () => "llama.cpp (native)" },
};

/**
 * The engines that were asked for: by name, or all with `peers`, else pagelm.
 *
 * @param {{engines?: string, peers: boolean, onnx?: string, "llama-bench"?: string}} values of the command line
 * @returns {{engines: {name: string, title: string, ownFile?: boolean}[], leftOut: string[]}} leftOut: a sentence each
 */
export function chosenEngines(values) {
  const names = values.engines?.split(",") ?? (values.peers ? Object.keys(ENGINES).filter((name) => !ENGINES[name].byName) : given(values));
  const unknown = names.filter((name) => !Object.hasOwn(ENGINES, name));
  if (unknown.length > 0) throw new Error(`No engine ${unknown.join(", ")}; there are ${Object.keys(ENGINES).join(", ")}.`);
  const here = (name) => !missing(name, values);
  return {
    engines: names.filter(here).map((name) => ({ name, title: titleOf(name), ownFile: ENGINES[name].ownFile })),
    leftOut: names.filter((name) => !here(name)).map((name) => `${titleOf(name)} is left out: ${missing(name, values)}.`),
  };
}

/** Without --peers: pagelm, and what was given with an option of its own. */
function given(values) {
  return ["pagelm", ...Object.keys(ENGINES).filter((name) => values[ENGINES[name].needs])];
}

function missing(name, values) {
  const { needs, folder } = ENGINES[name];
  if (needs && !values[needs]) return `no --${needs}`;
  if (folder && !version(folder)) return `run npm ci in ${path.join("benches", folder.split("node_modules")[0])}`;
  return undefined;
}

function titleOf(name) {
  const { folder, title } = ENGINES[name];
  return title((folder && version(folder)) ?? "(not installed)");
}

function version(folder) {
  const file = path.join(PROJECT, "benches", folder, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined;
}
