// What the host tool says is what the page does: the same losses, token by token, where both
// multiply and add in one rounding. That is relaxed SIMD (on a CPU with that instruction).
// Plain SIMD rounds twice, so it takes another step for an activation that lies between two of
// the 8 bits: a token's loss may be off by what 8-bit activations cost, the mean hardly.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { PROJECT, REAL_MODEL_FILE, fixture, readJson } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import { hostTool } from "./host-tool.mjs";
import * as routes from "./routes.mjs";

const site = await openSite({ isolated: true });
const folder = mkdtempSync(path.join(os.tmpdir(), "pagelm-host-"));
after(() => rmSync(folder, { recursive: true }));

/** Nat of a token, and of the mean. */
const EXACT = { token: 1e-4, mean: 1e-4 };
const ROUNDED_TWICE = { token: 1, mean: 0.03 };

const TEXTS = [
  "The quick brown fox jumps over the lazy dog. ".repeat(4),
  "fn main() {\n    let sum: u32 = (1..=10).filter(|n| n % 2 == 0).sum();\n    println!(\"{sum}\");\n}\n",
  "In 1969, 3.14159 × 2 ≈ 6.28318; at 09:45 UTC the ratio fell to −12.5 %.",
  "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. いろはにほへと ちりぬるを",
  "Once upon a time there was a miller who had three sons, a mill, a donkey and a cat. ".repeat(12),
];

const VARIANTS = [
  { variant: "simd", threads: 1 },
  { variant: "relaxed", threads: 1 },
  { variant: "threads", threads: 2 },
];

test("losses of the real model", needsRealModel(), async (t) => {
  const expected = TEXTS.map((text, i) => {
    const file = path.join(folder, `${i}.txt`);
    writeFileSync(file, text);
    return hostTool("score", REAL_MODEL_FILE, "--text-file", file);
  });
  for (const options of VARIANTS) {
    await t.test(options.variant, async (t) => {
      const page = await site.blank(t);
      const found = await page.evaluate(scores, { url: site.realModel, options, texts: TEXTS });
      assert.deepEqual(found.ran, options);
      found.scores.forEach((score, i) => compare(t, score, expected[i], options.variant));
    });
  }
});

describe("losses of the tiny models, in relaxed SIMD", () => {
  const models = readJson(path.join(PROJECT, "tests/models.json"));
  const names = Object.entries(models)
    .map(([model, formats]) => formats.map((format) => `${model}.${format}`))
    // One format of each architecture, and all of one.
    .flatMap((names) => (names[0].startsWith("llama-types") ? names : [names.find((name) => fixture("tiny", `${name}.gguf`))]))
    .filter((name) => name && fixture("tiny", `${name}.gguf`));
  for (const name of names) {
    test(name, async (t) => {
      const file = fixture("tiny", `${name}.gguf`);
      const url = site.server.route(`models/${name}.gguf`, routes.wholeFile(file));
      const { tokens } = readJson(fixture("tiny", `${name}.ref.json`));
      const page = await site.blank(t);
      const options = { variant: "relaxed", threads: 1 };
      const found = await page.evaluate(scores, { url, options, texts: [tokens] });
      compare(t, found.scores[0], hostTool("score", file, "--tokens", tokens.join(",")), "relaxed");
    });
  }
});

/** In the page: the scores of all texts. */
async function scores({ url, options, texts }) {
  await load(url, options);
  const { variant, threads } = lm.info;
  const all = [];
  for (const text of texts) all.push(await lm.score(text));
  return { ran: { variant, threads }, scores: all };
}

function compare(t, found, expected, variant) {
  assert.deepEqual(found.tokens, expected.tokens);
  const losses = found.logprobs.slice(1).map((logprob) => -logprob);
  assert.equal(losses.length, expected.nll.length);
  const worst = Math.max(...losses.map((nll, i) => Math.abs(nll - expected.nll[i])));
  const mean = Math.abs(found.nll - expected.mean_nll);
  t.diagnostic(`${losses.length} losses off by at most ${worst.toExponential(2)}, their mean by ${mean.toExponential(2)}`);
  const limit = variant === "simd" ? ROUNDED_TWICE : EXACT;
  assert.ok(worst <= limit.token, `a token's loss off by ${worst}`);
  assert.ok(mean <= limit.mean, `the mean off by ${mean}`);
}
