// Runs every test file, one after the other: two browsers at once would disturb
// each other's timings. `node run.mjs load chat` runs the files whose names
// contain one of the words.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
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
  console.log(`Real model: none at www/${REAL_MODEL}: the tests that need it are skipped (run ./build.sh test)`);
}

// What the service worker keeps has to be what lies there now.
if (existsSync(path.join(PROJECT, "www/pkg"))) execFileSync(process.execPath, [path.join(PROJECT, ".tools/shell.mjs"), path.join(PROJECT, "www")]);

if (files.length === 0) throw new Error(`No test file's name contains ${words.join(" or ")}.`);
const options = ["--test", "--test-concurrency=1", "--test-reporter=spec"];
const { status } = spawnSync(process.execPath, [...options, ...files.map((file) => path.join(HERE, file))], { stdio: "inherit" });
process.exitCode = status ?? 1;
