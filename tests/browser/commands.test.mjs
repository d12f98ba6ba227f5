// The commands of the README and the guides, run as they stand but for the names of files.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { LOADED } from "./app.mjs";
import { launch } from "./chromium.mjs";
import { PROJECT } from "./fixtures.mjs";
import { needsRealModel } from "./harness.mjs";
import { BUILDS, TEXTS, commands } from "./snippets.mjs";

const work = mkdtempSync(path.join(os.tmpdir(), "pagelm-commands-"));
const site = path.join(work, "site");
const packed = path.join(PROJECT, "www/models/mine");
const prompt = path.join(work, "prompt.txt");
writeFileSync(prompt, "Once upon a time");
after(() => {
  rmSync(work, { recursive: true, force: true });
  rmSync(packed, { recursive: true, force: true });
});

/** A file of the reader's own, small; and the tool as it is compiled already. */
const NAMES = [["MODEL.gguf", path.join(PROJECT, "tests/fixtures/tiny/llama-e192.Q4_1.gguf")], ["PROMPT.txt", prompt], ["http.server", "http.server 0"], ["SITE", site], ["cargo run --release", "cargo run --quiet"]];

function run(command) {
  const { status, stdout, stderr } = spawnSync("bash", ["-c", command], { cwd: PROJECT, encoding: "utf8", maxBuffer: 2 ** 26 });
  assert.equal(status, 0, `${command}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
  return stdout;
}

/** How to know that a command has done what it is for. */
const CHECKS = [
  [/^\.\/build\.sh serve/, (command, t) => serves(t, command, async (page) => {
    await page.getByRole("button", { name: /^Download/ }).waitFor(LOADED);
    assert.ok(await page.evaluate(() => crossOriginIsolated), "the page is not isolated");
  })],
  // It is what runs this test.
  [/^\.\/build\.sh test$/, () => assert.match(run("./build.sh help"), /^ {2}test {4}build, then run every test/m)],
  // Hours: bench-command.test.mjs runs the command that this ends in, with the least that it can measure.
  [/^\.\/build\.sh bench( --quick)?$/, () => assert.match(run("./build.sh bench --help"), /--quick/)],
  [/^cargo run .* pack /, (command) => {
    run(command);
    assert.ok(existsSync(path.join(packed, "pagelm.json")));
  }],
  [/^cargo run .* inspect .* --json$/, (command) => assert.equal(JSON.parse(run(command)).can_run, true)],
  [/^cargo run .* inspect [^ ]+$/, (command) => assert.match(run(command), /llama/)],
  [/^cargo run .* generate /, (command) => assert.ok(JSON.parse(run(command)).tokens.length > 0)],
  [/^cp -RL www SITE$/, (command) => {
    run(command);
    assert.ok(existsSync(path.join(site, "pkg/wasm/threads/pagelm_bg.wasm")));
  }],
  [/^python3 -m http\.server /, (command, t) => serves(t, command, async (page) => {
    await page.getByRole("button", { name: /^Download/ }).waitFor(LOADED);
    assert.ok(await page.evaluate(() => crossOriginIsolated), "the service worker has not isolated the page");
  })],
];

describe("commands", needsRealModel(), () => {
  for (const { file, command } of commands(TEXTS.filter((file) => file !== BUILDS))) {
    test(`${file}: ${command}`, async (t) => {
      const [, check] = CHECKS.find(([pattern]) => pattern.test(command)) ?? assert.fail("no check for it");
      await check(NAMES.reduce((text, [name, value]) => text.replaceAll(name, value), command), t);
    });
  }
});

/** Starts a server by a command, looks at the address that it prints, and ends it. */
async function serves(t, command, look) {
  // A group of its own, so that all of it can be ended.
  const server = spawn("bash", ["-c", `exec ${command}`], { cwd: PROJECT, detached: true, env: { ...process.env, PYTHONUNBUFFERED: "1" } });
  t.after(() => process.kill(-server.pid, "SIGTERM"));
  const address = await new Promise((resolve, reject) => {
    let said = "";
    const hear = (piece) => {
      said += piece;
      const [, found] = /(http:\/\/[\w.]+:\d+\/)/.exec(said) ?? [];
      if (found) resolve(found);
    };
    server.stdout.on("data", hear);
    server.stderr.on("data", hear);
    server.on("exit", (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(address.replace("0.0.0.0", "127.0.0.1"));
  await look(page);
}
