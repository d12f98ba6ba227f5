// Where the reference data, the built site and the real model lie.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const PROJECT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const DOCROOT = path.join(PROJECT, "www");

/** The demo model, as a path inside the document root. */
export const REAL_MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
export const REAL_MODEL_FILE = path.join(DOCROOT, REAL_MODEL);

const PLACES = [
  process.env.PAGELM_FIXTURES,
  path.join(PROJECT, "../shared/fixtures/given"),
  path.join(PROJECT, "tests/fixtures"),
];

/** The first folder of reference data that is there, or undefined. */
export const FIXTURES = PLACES.find((folder) => folder && existsSync(folder));

/**
 * Path of one file of the reference data, or undefined where it is absent; the
 * first folder that has it counts, as the subset in the tree is not complete.
 */
export function fixture(...parts) {
  return PLACES.filter(Boolean)
    .map((folder) => path.join(folder, ...parts))
    .find((file) => existsSync(file));
}

/** node:test options that skip with a clear line where a fixture is absent. */
export function needs(...parts) {
  return fixture(...parts) ? {} : { skip: `no reference data ${parts.join("/")} (set PAGELM_FIXTURES)` };
}

export function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** A float32 or int32 vector in NumPy's .npy format, version 1 (little-endian, C order). */
export function readNpy(file) {
  const buffer = readFileSync(file);
  if (buffer.toString("latin1", 1, 6) !== "NUMPY" || buffer[6] !== 1) throw new Error(`${file}: not .npy version 1`);
  const start = 10 + buffer.readUInt16LE(8);
  const header = buffer.toString("latin1", 10, start);
  const dtype = /'descr': '([^']+)'/.exec(header)?.[1];
  const data = buffer.buffer.slice(buffer.byteOffset + start, buffer.byteOffset + buffer.length);
  if (dtype === "<f4") return new Float32Array(data);
  if (dtype === "<i4") return new Int32Array(data);
  throw new Error(`${file}: no reader for ${dtype}`);
}
