// The benchmark's command, as short as it goes: it runs, and writes what it says.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { PROJECT } from "./fixtures.mjs";
import { needsRealModel } from "./harness.mjs";

const run = promisify(execFile);

test("measures pagelm, reports what fails, and writes tables and JSON", needsRealModel(), async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "pagelm-bench-"));
  t.after(() => rm(folder, { recursive: true }));
  const json = path.join(folder, "bench.json");
  // A program that is no llama-bench: its cells tell so, and the run goes on.
  const options = ["--engines", "native,pagelm", "--llama-bench", process.execPath, "--threads", "1", "--no-busy", "--rounds", "1"];
  const measures = ["--measures", "network,prefill-32,decode-short,wasm", "--decode-tokens", "8"];
  const { stdout } = await run(process.execPath, [path.join(PROJECT, "benches/run.mjs"), ...options, ...measures, "--json", json]);

  const { summary } = JSON.parse(await readFile(json, "utf8"));
  const [{ title, bandwidth, engines }] = summary;
  assert.equal(title, "1 thread");
  assert.ok(bandwidth.median > 0);
  const [native, pagelm] = engines;
  assert.match(native.results["decode-short"].failed, /./);
  for (const name of ["network", "prefill-32", "decode-short", "wasm"]) assert.ok(pagelm.results[name].median > 0, name);
  assert.ok(pagelm.share > 0);
  assert.equal(await readFile(path.join(folder, "bench.md"), "utf8"), stdout);
  assert.match(stdout, /\| prefill of 32 tokens, tok\/s \| failed: .+ \| [\d.]+ \|/);
});
