// The engine's own files, its scripts and its binary, from a server that says nothing more: the
// load ends, and the next one is as good as any.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { PROJECT } from "./fixtures.mjs";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite, ready } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;
const model = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
const BINARY = "pkg/wasm/simd/pagelm_bg.wasm";
const wasm = readFileSync(path.join(PROJECT, BINARY));
const OPTIONS = { variant: "simd", threads: 1, shared: false };
/** The limit is two minutes. */
const [BELOW, ABOVE] = ["01:40", "00:31"];

const CASES = [
  { title: "the worker's script", file: "pkg/worker.js", answer: () => {} },
  { title: "a module that it imports", file: "pkg/wasm/simd/pagelm.js", answer: () => {} },
  { title: "the binary, before its first byte", file: BINARY, answer: () => {} },
  { title: "the binary, in its middle", file: BINARY, answer: begun("application/wasm") },
  { title: "a binary of another type, in its middle", file: BINARY, answer: begun("application/octet-stream") },
];

for (const { title, file, answer } of CASES) {
  test(`a stall: ${title}`, async (t) => {
    const page = await clocked(t);
    let asked;
    const arrived = new Promise((resolve) => (asked = resolve));
    server.route(file, (request, response) => (answer(request, response), asked(response)));
    t.after(() => server.unroute(file));
    await begin(page);
    const response = await arrived;
    // What the server has sent until now resets the clock.
    await settled(page);
    await page.clock.runFor(BELOW);
    // A computer that sleeps meanwhile: its time is no wait.
    await page.clock.fastForward("10:00");
    assert.equal(await page.evaluate(() => globalThis.outcome), undefined);
    await page.clock.runFor(ABOVE);
    const { error } = await page.evaluate(() => globalThis.loading);
    assert.equal(error?.code, "engine_not_loaded");
    assert.match(error.message, /nothing came for two minutes.*Try again/);
    assert.ok(error.typed);
    await until(() => page.workers().length === 0, "the worker is left");
    server.unroute(file);
    // Chromium does not cancel the request for a worker's script, and has the next one wait for it for 20 seconds.
    response.destroy();
    await begin(page);
    assert.deepEqual(await page.evaluate(() => globalThis.loading), { value: "loaded" });
  });
}

test("a slow line is no stall, and a long work is none", async (t) => {
  const page = await clocked(t);
  let response;
  const arrived = new Promise((resolve) => server.route(BINARY, (_request, answer) => {
    response = answer;
    answer.writeHead(200, { "Content-Type": "application/wasm", "Content-Length": wasm.length });
    resolve();
  }));
  t.after(() => server.unroute(BINARY));
  await begin(page);
  await arrived;
  for (let at = 0; at < wasm.length; at += 1 << 20) {
    const piece = wasm.subarray(at, at + (1 << 20));
    if (at + piece.length < wasm.length) response.write(piece);
    else response.end(piece);
    await settled(page);
    await page.clock.runFor(BELOW);
  }
  assert.deepEqual(await page.evaluate(() => globalThis.loading), { value: "loaded" });
  await page.clock.runFor("10:00");
  assert.equal(await page.evaluate(() => lm.tokenize("a").then((tokens) => tokens.length > 0)), true);
});

/** A page whose clock the test turns, and which counts its worker's messages. */
async function clocked(t) {
  const page = await site.open(t, "blank.html");
  await page.clock.install();
  await page.addInitScript(() => {
    globalThis.messages = 0;
    globalThis.Worker = class extends Worker {
      constructor(...parameters) {
        super(...parameters);
        this.addEventListener("message", () => globalThis.messages++);
      }
    };
  });
  await page.goto(server.url("helpers.html"));
  await ready(page);
  return page;
}

async function begin(page) {
  await page.evaluate(({ model, options }) => {
    delete globalThis.outcome;
    globalThis.loading = attempt(() => load(model, options).then(() => "loaded")).then((outcome) => (globalThis.outcome = outcome));
  }, { model, options: OPTIONS });
}

/** Until the worker has said nothing for a while. */
async function settled(page) {
  let [before, now] = [-1, await page.evaluate(() => globalThis.messages)];
  while (now !== before) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    [before, now] = [now, await page.evaluate(() => globalThis.messages)];
  }
}

function begun(type) {
  return (_request, response) => {
    response.writeHead(200, { "Content-Type": type, "Content-Length": wasm.length });
    response.write(wasm.subarray(0, 1 << 20));
  };
}

async function until(condition, message) {
  for (let i = 0; i < 100; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(message);
}
