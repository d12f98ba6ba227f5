// Memory of the page's process with the real model, above that of the empty page and the KV
// cache, as a multiple of the file: while it is loaded, at rest, and with a full context. The
// cache takes memory as far as it is filled, but counts as a whole.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { DOCROOT, PROJECT, REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { splitFile } from "./gguf.mjs";
import { needsRealModel } from "./harness.mjs";
import { plainVisit } from "./plain-visit.mjs";
import { bytes, wholeFile } from "./routes.mjs";
import { serve } from "./server.mjs";

const MiB = 2 ** 20;
/** V8 collects what a long answer has left behind once it has been idle for eight seconds. */
const IDLE_SECONDS = 10;
/** Of the file, above the empty page and the whole KV cache. */
const LIMIT = 1.35;
const CONTEXT = 2048;
/** What a position of the KV cache takes: f16 keys and values of 30 layers, 3 heads of 64. */
const POSITION = 30 * 2 * 3 * 64 * 2;

const runnable = process.platform === "linux" ? needsRealModel() : { skip: "reads /proc, which only Linux has" };

/** A server's form of the model → its address. */
const FORMS = {
  "one file": (server) => server.url(REAL_MODEL),
  "split files": (server) => split(server),
  "record files": (server) => packed(server),
  "one file, OPFS": (server) => server.url(REAL_MODEL),
};

describe("memory", runnable, async () => {
  const server = await serve({ root: DOCROOT, isolated: true });
  after(() => server.stop());
  for (const [form, address] of Object.entries(FORMS)) {
    const profile = temporary("pagelm-profile-");
    let url;
    for (const from of ["network", "store"]) {
      test(`${form}, from the ${from}`, async (t) => {
        url ??= address(server);
        const requests = server.count(new URL(url).pathname);
        const { cache, ...above } = await measure(server, profile, { url, context: CONTEXT, storage: form.endsWith("OPFS") ? "opfs" : "indexeddb", fill: form === "one file" });
        if (from === "store") assert.equal(server.count(new URL(url).pathname), requests, "not from the store");
        assert.equal(cache, CONTEXT * POSITION);
        const file = statSync(REAL_MODEL_FILE).size;
        for (const [when, bytes] of Object.entries(above)) {
          const times = (bytes - cache) / file;
          const line = `${when}: ${(bytes / MiB).toFixed(1)} MiB above the empty page, without the KV cache ${times.toFixed(2)} times the file`;
          t.diagnostic(line);
          assert.ok(times <= LIMIT, line);
        }
      });
    }
  }
});

/** Bytes of the KV cache, and above the empty page. */
async function measure(server, profile, argument) {
  const found = {};
  let empty;
  let peak;
  const onStage = async (name, data, memory) => {
    const most = peak?.();
    const now = await memory.settled(name === "with a full context" ? IDLE_SECONDS : 1);
    if (name === "empty") empty = now;
    else found[name] = now - empty;
    if (name === "at rest") Object.assign(found, { loading: most - empty, cache: data });
    peak = name === "empty" ? memory.watch() : undefined;
  };
  await plainVisit({ server, profile, onStage, argument, script: visit });
  return found;
}

/** In the page. */
async function visit(stage, { url, context, storage, fill }) {
  const { PageLM } = await import("./pkg/pagelm.js");
  await stage("empty");
  const lm = await PageLM.load(url, { context, storage });
  await stage("at rest", lm.info.memory.kv_cache);
  await lm.completions.create({ prompt: "The capital of France is", max_tokens: 8 });
  await stage("after an answer");
  if (!fill) return;
  const prompt = "one two three four five six seven eight ".repeat((context * 3) / 4 / 8);
  await lm.completions.create({ prompt, max_tokens: context, ignore_eos: true, prompt_lookup: false });
  await stage("with a full context");
}

/** The model in record files, as `pagelm pack` writes them. */
function packed(server) {
  const folder = temporary("pagelm-pack-");
  const args = ["run", "--quiet", "--", "pack", REAL_MODEL_FILE, "--out", folder, "--record-mb", "8"];
  const { status, stderr } = spawnSync("cargo", args, { cwd: PROJECT, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  for (const name of readdirSync(folder)) server.route(`models/packed/${name}`, wholeFile(path.join(folder, name)));
  return server.url("models/packed/pagelm.json");
}

/** The model in three files, as `gguf-split` makes them. */
function split(server) {
  const file = (no) => `models/split-0000${no}-of-00003.gguf`;
  splitFile(readFileSync(REAL_MODEL_FILE), 3).forEach((part, i) => server.route(file(i + 1), bytes(part)));
  return server.url(file(1));
}

function temporary(prefix) {
  const folder = mkdtempSync(path.join(os.tmpdir(), prefix));
  // The browser's helper processes may still be writing when it is already closed.
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return folder;
}
