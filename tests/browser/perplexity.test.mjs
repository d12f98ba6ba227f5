// The real model in further formats, made here of its Q4_1, against the losses of llama.cpp
// on the very same weights in F32 (tests/fixtures/README.md says how they were made).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { REAL_MODEL_FILE, fixture, needs, readJson, readNpy } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import { requantise } from "./requantise.mjs";
import * as routes from "./routes.mjs";

const site = await openSite({ isolated: true });

const REAL = ["real", "smollm2-135m-q4_1"];
/** Format → the exact losses; of Q5_1, whose weights are those of the Q4_1, the same. */
const LOSSES = { Q4_0: "nll.Q4_0.exact.npy", Q5_0: "nll.Q5_0.exact.npy", Q5_1: "nll.exact.npy", Q8_0: "nll.Q8_0.exact.npy" };
/** What the losses of single tokens may spread about the exact ones, in nat: 8 bits of the activations cost 0.075 to 0.085. */
const SPREAD = 0.1;
/**
 * Q8_0 is 0.497 % off. That cannot flake: the losses are equal to the last bit on every machine
 * whose relaxed SIMD multiplies and adds in one rounding, on any number of threads. Another order
 * of a kernel's sums is another draw, of which 0.17 % is chance; where it flips this limit, look at
 * the spread: one that stays says that nothing but chance has changed.
 */
const PERPLEXITY = 0.005;

for (const [format, name] of Object.entries(LOSSES)) {
  const made = format === "Q5_1" ? "widened without loss" : "quantised anew";
  test(`perplexity in ${format}, ${made}`, { ...needs(...REAL, name), ...needsRealModel() }, async (t) => {
    const exact = readNpy(fixture(...REAL, name));
    const { tokens } = readJson(fixture(...REAL, "nll.json"));
    const url = site.server.route(`models/${format}.gguf`, routes.bytes(requantise(readFileSync(REAL_MODEL_FILE), format)));
    const page = await site.blank(t);
    const found = await page.evaluate(score, { url, tokens });
    assert.equal(found.length, exact.length);
    const off = found.map((loss, i) => loss - exact[i]);
    const drift = mean(off);
    const spread = Math.sqrt(mean(off.map((x) => (x - drift) ** 2)));
    t.diagnostic(`${(100 * Math.expm1(drift)).toFixed(2)} % off, single losses spread by ${spread.toFixed(3)}`);
    assert.ok(spread <= SPREAD, `single losses spread by ${spread}`);
    assert.ok(Math.abs(Math.expm1(drift)) <= PERPLEXITY, `perplexity ${100 * Math.expm1(drift)} % off`);
  });
}

/** In the page: the losses of all tokens but the first. */
async function score({ url, tokens }) {
  await load(url, { variant: "threads", threads: 2, context: tokens.length });
  const { logprobs } = await lm.score(tokens);
  return logprobs.slice(1).map((logprob) => -logprob);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
