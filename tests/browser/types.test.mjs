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

for (const [title, project] of [
  ["tsc accepts the samples", "tsconfig.json"],
  ["the official openai package's types accept our answers", "openai.json"],
]) {
  test(title, () => {
    const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
    const tsc = path.join(path.dirname(manifest), "bin/tsc");
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "--project", path.join(TYPES, project)], { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  });
}

for (const [types, program, chief, some] of [
  ["pagelm.d.ts", "sample.ts", "PageLM", 10],
  ["page-lm.d.ts", "widget.ts", "PageLMElement", 4],
]) {
  test(`${program} uses every name that ${types} exports, and every member of ${chief}`, () => {
    const main = readFileSync(path.join(PROJECT, "pkg", types), "utf8");
    const others = [...main.matchAll(/^export \* from "\.\/(.+)\.js";$/gm)].map(([, name]) => readFileSync(path.join(PROJECT, "pkg", `${name}.d.ts`), "utf8"));
    const declarations = [main, ...others].join("\n");
    const sample = readFileSync(path.join(TYPES, program), "utf8");
    const names = [...declarations.matchAll(/^export (?:declare )?(?:type|interface|class|function|const) (\w+)/gm)].map(([, name]) => name);
    const body = new RegExp(`^export (?:declare )?class ${chief} (?:extends \\w+ )?\\{$(.*?)^\\}$`, "ms").exec(declarations)?.[1] ?? "";
    const members = [...body.matchAll(/^ {2}(?:static |readonly )*(\w+)[(:]/gm)].map(([, name]) => name);
    assert.ok(names.length > some && members.length > 8, `found ${names} and ${members}`);
    const missing = [...names, ...members].filter((name) => !new RegExp(`\\b${name}\\b`).test(sample));
    assert.deepEqual(missing, []);
  });
}
