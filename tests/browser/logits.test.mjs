// The numbers of the three binaries, in the browser, against the reference
// data: logits and losses of the tiny models, perplexity of the real one.
// Tolerances: README of the reference data, "How to judge".

import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { PROJECT, fixture, needs, readJson, readNpy } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import * as routes from "./routes.mjs";

// With isolation headers, as the third binary needs shared memory.
const site = await openSite({ isolated: true });

const VARIANTS = [
  { variant: "simd", threads: 1 },
  { variant: "relaxed", threads: 1 },
  { variant: "threads", threads: 2 },
];
/** Model → formats: the table of the host's test. */
const MODELS = readJson(path.join(PROJECT, "tests/models.json"));
const FLOAT = ["F32", "F16", "BF16"];

for (const options of VARIANTS) {
  describe(`the ${options.variant} binary`, () => {
    const models = tinyModels();
    if (models.length === 0) test("tiny models", needs("tiny"), () => {});
    for (const { name, reference } of models) {
      test(name, async (t) => {
        const url = site.server.route(`models/${name}.gguf`, routes.wholeFile(fixture("tiny", `${name}.gguf`)));
        const page = await site.blank(t);
        const found = await page.evaluate(numbers, { url, options, tokens: reference.tokens, n: reference.n_vocab });
        assert.deepEqual(found.ran, options);

        const float = reference.tensor_types.every((type) => FLOAT.includes(type));
        const exact = readNpy(fixture("tiny", `${name}.last_logits.exact.npy`));
        assert.equal(found.logprobs.length, exact.length);
        const error = relativeRms(found.logprobs, exact);
        const limit = float ? 0.005 : 1.5 * reference.spread.rel_rms;
        t.diagnostic(`relative RMS ${error.toFixed(5)}, limit ${limit.toFixed(5)}`);
        assert.ok(error <= limit, `relative RMS of the logits ${error} > ${limit}`);

        assert.equal(found.nll.length, reference.exact.nll.length);
        const drift = Math.abs(mean(found.nll) - reference.exact.mean_nll);
        assert.ok(drift <= 0.05, `mean nll off by ${drift}`);
        assert.ok(Math.abs(found.meanNll - mean(found.nll)) < 1e-4, "`nll` is the mean of the losses");
        // One wrong position would hide in a mean of 63.
        const worst = Math.max(...found.nll.map((nll, i) => Math.abs(nll - reference.exact.nll[i])));
        const allowed = float ? 0.05 : 2 * reference.spread.max_abs_nll_diff;
        assert.ok(worst <= allowed, `a token's loss off by ${worst} > ${allowed}`);
      });
    }

    const real = ["real", "smollm2-135m-q4_1", "nll.json"];
    test("perplexity of the real model", { ...needs(...real), ...needsRealModel() }, async (t) => {
      const reference = readJson(fixture(...real));
      const page = await site.blank(t);
      const perplexity = await page.evaluate(
        async ({ url, options, tokens }) => {
          await load(url, { ...options, context: tokens.length });
          return (await lm.score(tokens)).perplexity;
        },
        { url: site.realModel, options, tokens: reference.tokens },
      );
      const off = perplexity / reference.ppl.exact - 1;
      t.diagnostic(`perplexity ${perplexity.toFixed(4)}, ${(100 * off).toFixed(3)} % off`);
      assert.ok(Math.abs(off) <= 0.005, `perplexity ${perplexity}, reference ${reference.ppl.exact}`);
    });
  });
}

test("the measure finds a wrong logit", () => {
  const logits = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i));
  const shifted = logits.map((logit) => logit - 7);
  assert.ok(relativeRms(shifted, logits) < 1e-6);
  shifted[100] += 4;
  assert.ok(relativeRms(shifted, logits) > 0.2);
});

/** In the page: log-probabilities over the vocabulary after the last token, and the losses. */
async function numbers({ url, options, tokens, n }) {
  await load(url, options);
  const { variant, threads } = lm.info;
  const next = await lm.completions.create({ prompt: tokens, max_tokens: 1, temperature: 0, ignore_eos: true, logprobs: n });
  const logprobs = new Array(n).fill(NaN);
  for (const [id, logprob] of next.choices[0].logprobs.top_token_ids[0]) logprobs[id] = logprob;
  const score = await lm.score(tokens);
  return { ran: { variant, threads }, logprobs, nll: score.logprobs.slice(1).map((p) => -p), meanNll: score.nll };
}

/** The tiny models of the table that are there. */
function tinyModels() {
  return Object.entries(MODELS)
    .flatMap(([model, formats]) => formats.map((format) => `${model}.${format}`))
    .filter((name) => fixture("tiny", `${name}.gguf`))
    .map((name) => ({ name, reference: readJson(fixture("tiny", `${name}.ref.json`)) }));
}

/** RMS of the difference over the spread of the reference; a common shift (the normaliser of log-probabilities) does not count. */
function relativeRms(found, reference) {
  const [a, b] = [mean(found), mean(reference)];
  let [difference, spread] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    difference += (found[i] - a - (reference[i] - b)) ** 2;
    spread += (reference[i] - b) ** 2;
  }
  return Math.sqrt(difference / spread);
}

function mean(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
