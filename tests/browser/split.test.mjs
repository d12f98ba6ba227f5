// A model in several files: loaded by the address of the first part, stored, and loaded again
// without the server; parts that are missing or of another model end in errors of their own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { splitGguf, tinyLlama, writeGguf } from "./gguf.mjs";
import { openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

const site = await openSite();
const { server } = site;
const model = tinyLlama();
const n = model.tensors.length;

/** Serves the parts under a name; `replaced` gives other answers, by number from 1. */
function serveParts(name, parts, replaced = {}) {
  const file = (no) => `models/${name}-0000${no}-of-0000${parts.length}.gguf`;
  parts.forEach((part, i) => server.route(file(i + 1), replaced[i + 1] ?? routes.bytes(part)));
  return { url: server.url(file(1)), file };
}

test("parts give what the whole gives, also from the store", async (t) => {
  const whole = server.route("models/whole.gguf", routes.bytes(writeGguf(model)));
  const { url, file } = serveParts("good", splitGguf(model, [2, n - 3, 1]));
  const page = await site.blank(t);
  const first = await page.evaluate(async ({ whole, url }) => {
    const expected = await scores(whole);
    const found = await scores(url);
    return { expected, found, progress: globalThis.progress };

    async function scores(url) {
      globalThis.progress = [];
      await load(url, { onProgress: (event) => progress.push(event) });
      const score = await lm.score("The quick brown fox");
      await lm.unload();
      return score;
    }
  }, { whole, url });
  assert.deepEqual(first.found, first.expected);
  const bytes = first.progress.filter(({ phase }) => phase === "download").map(({ loaded }) => loaded);
  assert.deepEqual(bytes, bytes.toSorted((a, b) => a - b), "progress goes back");

  for (const no of [1, 2, 3]) server.remove(file(no));
  const again = await page.evaluate(async (url) => {
    await load(url);
    return lm.score("The quick brown fox");
  }, url);
  assert.deepEqual(again, first.expected);
});

const parts = splitGguf(model, [2, n - 3, 1]);
const other = splitGguf(model, [n - 1, 1]);
const CASES = [
  { title: "a part is missing", replaced: { 3: routes.status(404) }, code: "split_part_missing", data: ({ part, count, name }) => part === 3 && count === 3 && name.endsWith("-00003-of-00003.gguf") },
  { title: "parts in another order", replaced: { 2: routes.bytes(parts[2]) }, code: "split_mismatch", data: ({ part }) => part === 2 },
  { title: "a part of another model", replaced: { 2: routes.bytes(other[1]) }, code: "split_mismatch", data: ({ part }) => part === 2 },
  { title: "a part is a web page", replaced: { 2: routes.htmlPage() }, code: "html_instead_of_model" },
  { title: "a later part in place of the first", replaced: { 1: routes.bytes(parts[1]) }, code: "split_mismatch", data: ({ part }) => part === 1 },
];

for (const { title, replaced, code, data } of CASES) {
  test(title, async (t) => {
    const { url } = serveParts("bad", parts, replaced);
    const page = await site.blank(t);
    const { error } = await page.evaluate((url) => attempt(() => load(url).then(() => "loaded")), url);
    assert.equal(error?.code, code, error?.message);
    if (data) assert.ok(data(error.data), `data: ${JSON.stringify(error.data)}`);
  });
}
