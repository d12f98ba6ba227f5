// The package's types: a program in TypeScript that uses them compiles, and no
// public name is left out of it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { PROJECT } from "./fixtures.mjs";

const TYPES = path.join(PROJECT, "tests/types");

test("tsc accepts the sample", () => {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  const tsc = path.join(path.dirname(manifest), "bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "--project", TYPES], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
});

test("the sample uses every exported name, and every member of PageLM", () => {
  const declarations = readFileSync(path.join(PROJECT, "pkg/pagelm.d.ts"), "utf8");
  const sample = readFileSync(path.join(TYPES, "sample.ts"), "utf8");
  const names = [...declarations.matchAll(/^export (?:declare )?(?:type|interface|class|function|const) (\w+)/gm)].map(([, name]) => name);
  const body = /^export (?:declare )?class PageLM \{$(.*?)^\}$/ms.exec(declarations)?.[1] ?? "";
  const members = [...body.matchAll(/^ {2}(?:static |readonly )*(\w+)[(:]/gm)].map(([, name]) => name);
  assert.ok(names.length > 10 && members.length > 8, `found ${names} and ${members}`);
  const missing = [...names, ...members].filter((name) => !new RegExp(`\\b${name}\\b`).test(sample));
  assert.deepEqual(missing, []);
});
