// Runs the type check and every browser test file, one after the other: two
// browsers at once would disturb each other's timings. `node run.mjs load chat`
// runs the files whose names contain one of the words.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromiumPath } from "./chromium.mjs";
import { FIXTURES, PROJECT, REAL_MODEL } from "./fixtures.mjs";

const HERE = path.join(PROJECT, "tests/browser");
const words = process.argv.slice(2);
const files = readdirSync(HERE)
  .filter((file) => file.endsWith(".test.mjs"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

console.log(`Chromium: ${chromiumPath()}`);
console.log(`Reference data: ${FIXTURES ?? "none (set PAGELM_FIXTURES): the tests that need it are skipped"}`);
if (!existsSync(path.join(PROJECT, "www", REAL_MODEL))) {
  console.log(`Real model: none at www/${REAL_MODEL}: the tests that need it are skipped (run ./build.sh build)`);
}

let failed = false;
if (words.length === 0 || words.includes("types")) failed = !run([tsc(), "--project", path.join(PROJECT, "tests/types")]);
if (files.length > 0) {
  const options = ["--test", "--test-concurrency=1", "--test-reporter=spec"];
  failed = !run([...options, ...files.map((file) => path.join(HERE, file))]) || failed;
}
process.exitCode = failed ? 1 : 0;

function run(args) {
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0;
}

function tsc() {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  return path.join(path.dirname(manifest), "bin/tsc");
}
