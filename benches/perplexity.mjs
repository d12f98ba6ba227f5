// Perplexity of models, in Chromium, on the 2,048 tokens of the reference data.
//
// `node benches/perplexity.mjs FILE.gguf… [--exact FOLDER] [--variant NAME] [--threads N] [--kv-cache NAME] [--losses FOLDER]`
//
// For MODEL.gguf, FOLDER/MODEL.exact has the losses of an exact engine, one a line. Then the
// difference is told too, and how far the losses of single tokens spread about theirs (the
// standard deviation s): that costs about s²/2 of a loss, and over n tokens s/√n are chance.
// `--losses` writes what was found in the same form.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { launch } from "../tests/browser/chromium.mjs";
import { REAL_MODEL_FILE, fixture, readJson } from "../tests/browser/fixtures.mjs";
import { openSite } from "./site.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    exact: { type: "string" },
    losses: { type: "string" },
    threads: { type: "string", default: "1" },
    variant: { type: "string" },
    "kv-cache": { type: "string" },
  },
});
const { tokens } = readJson(fixture("real", "smollm2-135m-q4_1", "nll.json"));
const options = { threads: Number(values.threads), context: tokens.length, variant: values.variant, kv_cache: values["kv-cache"] };

console.log("| | exact | pagelm | loss of a token, s |\n|---|---|---|---|");
for (const model of positionals.length > 0 ? positionals : [REAL_MODEL_FILE]) {
  const name = path.basename(model, ".gguf");
  const found = await losses(model);
  console.log(`| ${name} | ${compared(found, exactLosses(name)).join(" | ")} |`);
  if (values.losses) {
    mkdirSync(values.losses, { recursive: true });
    writeFileSync(path.join(values.losses, `${name}.pagelm`), found.map((loss) => `${loss.toFixed(7)}\n`).join(""));
  }
}

/** A browser for each model: what one has stored does not count for the next. */
async function losses(model) {
  const site = await openSite({ model });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(site.page);
    const module = new URL("pkg/pagelm.js", new URL(site.page)).href;
    return await page.evaluate(lossesInPage, { module, url: site.model, options, tokens });
  } finally {
    await browser.close();
    await site.stop();
  }
}

async function lossesInPage({ module, url, options, tokens }) {
  const { PageLM } = await import(module);
  const lm = await PageLM.load(url, options);
  const { logprobs } = await lm.score(tokens);
  return logprobs.slice(1).map((logprob) => -logprob);
}

function exactLosses(name) {
  const file = values.exact && path.join(values.exact, `${name}.exact`);
  return file && existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : undefined;
}

function compared(found, exact) {
  const perplexity = (losses) => Math.exp(mean(losses));
  const text = perplexity(found).toFixed(3);
  if (!exact) return ["", text, ""];
  if (exact.length !== found.length) throw new Error(`${exact.length} exact losses, but ${found.length} were found.`);
  const off = found.map((loss, i) => loss - exact[i]);
  const percent = 100 * (perplexity(found) / perplexity(exact) - 1);
  const spread = Math.sqrt(mean(off.map((x) => (x - mean(off)) ** 2)));
  return [perplexity(exact).toFixed(3), `${text} (${percent < 0 ? "" : "+"}${percent.toFixed(2)} %)`, spread.toFixed(3)];
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
