// Models that `pagelm pack` has made ready for static hosts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { PROJECT } from "./fixtures.mjs";
import { array, tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import { FaultyFile, bytes, seeded } from "./routes.mjs";

const site = await openSite();
const { server } = site;
const folder = mkdtempSync(path.join(os.tmpdir(), "pagelm-pack-"));
after(() => rmSync(folder, { recursive: true }));

const RECORD = 32 * 1024;
const model = tinyModel();
const file = path.join(folder, "tiny.gguf");
writeFileSync(file, model);
const plainUrl = server.route("models/plain.gguf", bytes(model));

/** Packs the tiny model and serves what came of it; the address of its pagelm.json. */
function pack(name, ...args) {
  const out = path.join(folder, name);
  const options = ["run", "--quiet", "--", "pack", file, "--out", out, "--record-mb", String(RECORD / 2 ** 20), ...args];
  const { status, stderr } = spawnSync("cargo", options, { cwd: PROJECT, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const files = new Map();
  for (const entry of readdirSync(out)) {
    const faulty = new FaultyFile(readFileSync(path.join(out, entry)));
    files.set(entry, faulty);
    server.route(`models/${name}/${entry}`, faulty.handler);
  }
  return { url: server.url(`models/${name}/pagelm.json`), files };
}

test("a model in record files answers as the .gguf does, also with the server gone", async (t) => {
  const { url, files } = pack("cut");
  assert.equal(files.size, 1 + Math.ceil(model.length / RECORD));
  const page = await site.blank(t);
  const expected = await page.evaluate(answer, { url: plainUrl });
  assert.equal(await page.evaluate(answer, { url }), expected);
  for (const [name, { requests }] of files) assert.equal(requests.length, 1, name);
  assert.deepEqual(await page.evaluate((url) => PageLM.models().then((all) => all.find((one) => one.url === url)?.complete), url), true);
  for (const name of files.keys()) server.remove(`models/cut/${name}`);
  assert.equal(await page.evaluate(answer, { url }), expected);
});

test("a flipped byte on the way is found, and only its record fetched again", async (t) => {
  const { url, files } = pack("whole", "--whole");
  const gguf = files.get("tiny.gguf");
  gguf.plan = (n) => (n === 0 ? { flip: 3 * RECORD + 17 } : null);
  const page = await site.blank(t);
  assert.equal(await page.evaluate(answer, { url }), await page.evaluate(answer, { url: plainUrl }));
  assert.deepEqual(gguf.requests.map(({ range }) => range), [undefined, `bytes=${3 * RECORD}-${4 * RECORD - 1}`]);
  assert.equal(gguf.sent, model.length + RECORD);
});

test("a record that is always wrong is an error, and the model not complete", async (t) => {
  const { url, files } = pack("wrong");
  files.get("tiny.gguf.0001.bin").plan = () => ({ flip: 5 });
  const page = await site.blank(t);
  const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
  assert.equal(error?.code, "digest_mismatch", JSON.stringify(error));
  assert.match(error.data.url, /tiny\.gguf\.0001\.bin$/);
  assert.deepEqual((await page.evaluate(() => PageLM.models())).filter(({ complete }) => complete), []);
});

test("context, sampling and chat template come from pagelm.json, unless the page says otherwise", async (t) => {
  const template = path.join(folder, "template.jinja");
  writeFileSync(template, "{% for m in messages %}<{{ m.content }}>{% endfor %}");
  const { url } = pack("settings", "--context", "64", "--sampling", '{"temperature":0,"max_tokens":3,"ignore_eos":true}', "--chat-template", template);
  const page = await site.blank(t);
  const found = await page.evaluate(async (url) => {
    const lm = await PageLM.load(url);
    const usage = async (more) => (await lm.completions.create({ prompt: "abc", ...more })).usage.completion_tokens;
    const count = await lm.countTokens([{ role: "user", content: "abc" }]);
    const result = { context: lm.info.context, tokens: [await usage(), await usage({ max_tokens: 5 })], count };
    await lm.unload();
    return { ...result, own: (await PageLM.load(url, { context: 32 })).info.context };
  }, url);
  assert.deepEqual(found, { context: 64, tokens: [3, 5], count: 5, own: 32 });
});

test("a pagelm.json that is none is told", async (t) => {
  const page = await site.blank(t);
  for (const body of ["{}", "<!doctype html>", '{"pagelm": 99}']) {
    const url = server.route("models/bad/pagelm.json", bytes(Buffer.from(body)));
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, "bad_manifest", JSON.stringify(error));
  }
});

function tinyModel() {
  const model = tinyLlama();
  const random = seeded(9);
  model.metadata["general.padding"] = array("i32", Int32Array.from({ length: 9000 }, () => Math.floor(random() * 2 ** 31)));
  return writeGguf(model);
}

async function answer({ url }) {
  const lm = await PageLM.load(url);
  const result = await lm.completions.create({ prompt: "abc", max_tokens: 8, temperature: 0, ignore_eos: true });
  await lm.unload();
  return result.choices[0].text;
}
