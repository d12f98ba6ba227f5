// What a wasm binary is made of: bytes of code by crate, from its name section,
// and what remains when it is sent compressed.
//
//   node benches/size.mjs [FILE] [--functions N]
//
// FILE is by default the relaxed binary before wasm-opt, which still has names.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";
import { PROJECT } from "../tests/browser/fixtures.mjs";

const WITH_NAMES = path.join(PROJECT, "target/wasm/relaxed/bound/pagelm_bg.wasm");
const [CUSTOM, IMPORTS, CODE, DATA] = [0, 2, 10, 11];
const IMPORT = { FUNCTION: 0, TABLE: 1, MEMORY: 2, GLOBAL: 3, TAG: 4 };
const FUNCTION_NAMES = 1;

function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { functions: { type: "string", default: "0" } } });
  const file = positionals[0] ?? WITH_NAMES;
  if (!existsSync(file)) throw new Error(`There is no ${file}. Run ./build.sh build, or give a file.`);
  const binary = readFileSync(file);
  const sections = [...sectionsOf(binary)];
  const functions = functionsOf(binary, sections);
  const sent = withoutCustomSections(binary, sections);
  const data = sum(sections.filter(({ id }) => id === DATA));
  const other = sent.length - data - sum(functions);

  if (functions.some(({ name }) => name)) {
    printTable("crate", [...byCrate(functions), { name: "(data)", bytes: data }, { name: "(other sections)", bytes: other }], sent.length);
    const largest = functions.sort((a, b) => b.bytes - a.bytes).slice(0, Number(values.functions));
    if (largest.length > 0) printTable("function", largest, sent.length);
  } else {
    console.log("This file has no names, so there is no table of crates.");
  }
  console.log(`${kib(sent.length)} without names and other custom sections, ${kib(brotli(sent))} as brotli of quality 11; the file has ${kib(binary.length)}.`);
}

/** Reads wasm's numbers and names (core specification, chapter 5). */
class Reader {
  constructor(bytes, at, end = bytes.length) {
    Object.assign(this, { bytes, at, end });
  }

  get more() {
    return this.at < this.end;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** LEB128, unsigned. */
  number() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  name() {
    const end = this.number() + this.at;
    const name = this.bytes.toString("utf8", this.at, end);
    this.at = end;
    return name;
  }

  limits() {
    const flags = this.byte();
    this.number();
    if (flags & 1) this.number();
  }
}

/** Each section: its number, where its head begins, where its content lies, and its bytes with the head. */
function* sectionsOf(binary) {
  const reader = new Reader(binary, 8);
  while (reader.more) {
    const head = reader.at;
    const id = reader.byte();
    const length = reader.number();
    const start = reader.at;
    reader.at += length;
    yield { id, head, start, end: reader.at, bytes: reader.at - head };
  }
}

/** Every function of the code section: its name, where there is one, and its bytes. */
function functionsOf(binary, sections) {
  const imported = importedFunctions(contentOf(binary, sections, ({ id }) => id === IMPORTS));
  const names = functionNames(contentOf(binary, sections, (section) => customName(binary, section) === "name"));
  const code = contentOf(binary, sections, ({ id }) => id === CODE);
  return Array.from({ length: code.number() }, (_, i) => {
    const bytes = code.number();
    code.at += bytes;
    return { name: names.get(imported + i), bytes };
  });
}

function contentOf(binary, sections, wanted) {
  const { start, end } = sections.find(wanted) ?? { start: 0, end: 0 };
  return new Reader(binary, start, end);
}

function customName(binary, { id, start, end }) {
  return id === CUSTOM ? new Reader(binary, start, end).name() : undefined;
}

/** How many functions are imported: they have the first numbers. */
function importedFunctions(reader) {
  let functions = 0;
  for (let left = reader.more ? reader.number() : 0; left > 0; left--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === IMPORT.FUNCTION) functions += 1;
    skipDescription(reader, kind);
  }
  return functions;
}

function skipDescription(reader, kind) {
  if ([IMPORT.TABLE, IMPORT.GLOBAL, IMPORT.TAG].includes(kind)) reader.byte(); // what it is of
  if (kind === IMPORT.TABLE || kind === IMPORT.MEMORY) reader.limits();
  else if (kind === IMPORT.GLOBAL) reader.byte(); // whether it can be changed
  else reader.number(); // the type of a function or tag
}

/** Function number → name. */
function functionNames(reader) {
  const names = new Map();
  if (reader.more) reader.name();
  while (reader.more) {
    const kind = reader.byte();
    const end = reader.number() + reader.at;
    if (kind === FUNCTION_NAMES) {
      for (let left = reader.number(); left > 0; left--) names.set(reader.number(), reader.name());
    }
    reader.at = end;
  }
  return names;
}

function withoutCustomSections(binary, sections) {
  const kept = sections.filter(({ id }) => id !== CUSTOM).map(({ head, end }) => binary.subarray(head, end));
  return Buffer.concat([binary.subarray(0, 8), ...kept]);
}

function brotli(bytes) {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length;
}

/** Bytes of each crate, the largest first. */
function byCrate(functions) {
  const sizes = new Map();
  for (const { name, bytes } of functions) {
    const crate = crateOf(name);
    sizes.set(crate, (sizes.get(crate) ?? 0) + bytes);
  }
  return [...sizes].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/**
 * The first path in a name: that of the type, or where this is a parameter or a
 * primitive, that of the trait. `<&T as core::fmt::Debug>::fmt` is core's.
 */
function crateOf(name = "") {
  const path = /(?:^|[<&*([, ])([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::/.exec(name);
  if (path) return path[1];
  return name.startsWith("<") ? "core" : "(no crate)";
}

function printTable(head, rows, total) {
  console.log(`| ${head} | KiB | share |\n|---|---:|---:|`);
  for (const { name, bytes } of rows) console.log(`| ${name} | ${(bytes / 1024).toFixed(1)} | ${((bytes / total) * 100).toFixed(1)} % |`);
  console.log();
}

function sum(parts) {
  return parts.reduce((total, { bytes }) => total + bytes, 0);
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
