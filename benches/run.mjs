// Measures pagelm, and with --peers other engines, on one model file in one
// headless Chromium, in alternation. `node benches/run.mjs --help` says how.
//
// What an engine fails at, or is too slow for, is told in its cell; the rest goes on.

import { mkdir, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { readBandwidth } from "./bandwidth.mjs";
import { withBusyCore } from "./busy.mjs";
import { native } from "./native.mjs";
import { readOptions } from "./options.mjs";
import { markdown, summarise } from "./report.mjs";
import { openSite } from "./site.mjs";
import { visit } from "./visit.mjs";

async function main() {
  const plan = readOptions(process.argv.slice(2));
  if (!plan) return;
  for (const line of plan.leftOut) console.error(line);
  const site = await openSite(plan);
  const run = { samples: [], bandwidth: [], infos: {}, browser: "" };
  try {
    for (let round = 0; round < plan.rounds; round++) {
      for (const scenario of plan.scenarios) {
        const work = () => measureScenario(site, plan, scenario, round, run);
        await (scenario.busy ? withBusyCore(work) : work());
      }
      // After each round, so that a run that is cut off has something to show.
      await write(plan, run, round + 1);
    }
  } finally {
    await site.stop();
  }
  process.stdout.write(report(plan, run, plan.rounds).tables);
}

/** Every engine once. Each round turns the order round, so that a slow drift of the machine favours nobody. */
async function measureScenario(site, plan, scenario, round, run) {
  if (scenario.measures.some(({ kind }) => kind === "decode")) {
    const value = await readBandwidth(site.page, scenario.threads);
    run.bandwidth.push({ scenario: scenario.name, round, value });
  }
  const order = round % 2 === 0 ? plan.engines : [...plan.engines].reverse();
  for (const engine of order) {
    const measures = scenario.measures.filter((measure) => !givenUp(run.samples, scenario, engine, measure));
    if (measures.length === 0) continue;
    const task = { ...plan, engine: engine.name, threads: scenario.threads, measures, seed: 2 * round };
    const record = (measure, outcome) => {
      run.samples.push({ scenario: scenario.name, engine: engine.name, measure: measure.name, round, ...outcome });
      console.error(`round ${round + 1}, ${scenario.title}, ${engine.title}: ${measure.title} ${outcome.failed ? `failed: ${outcome.failed}` : outcome.value.toFixed(measure.digits)}`);
    };
    const { info, browser } = engine.name === "native" ? await native(plan.llamaBench, task, record) : await visit(site, task, record);
    if (info) run.infos[`${scenario.name}/${engine.name}`] = info;
    if (browser) run.browser = browser;
  }
}

/** Whether this took too long once, or failed twice. */
function givenUp(samples, scenario, engine, measure) {
  const failures = samples.filter((sample) => sample.failed && sample.scenario === scenario.name && sample.engine === engine.name && sample.measure === measure.name);
  return failures.length > 1 || failures.some(({ late }) => late);
}

async function write(plan, run, rounds) {
  const { result, tables } = report(plan, run, rounds);
  await mkdir(path.dirname(plan.json), { recursive: true });
  await writeFile(plan.json, `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(plan.json.replace(/(\.json)?$/, ".md"), tables);
}

function report(plan, run, rounds) {
  const { variant, kvCache, limit, decodeTokens, context, bytes } = plan;
  const settings = { model: path.basename(plan.model), bytes, rounds, variant, kvCache, limit, decodeTokens, context };
  const summary = summarise({ ...plan, ...run });
  const result = { date: new Date().toISOString(), machine: machine(), browser: run.browser, settings, leftOut: plan.leftOut, summary, samples: run.samples, bandwidth: run.bandwidth };
  return { result, tables: markdown({ ...result, measures: plan.measures }) };
}

function machine() {
  const cpus = os.cpus();
  return { cpu: cpus[0]?.model ?? "unknown", cores: cpus.length, memoryGiB: Math.round(os.totalmem() / 2 ** 30), platform: `${os.platform()} ${os.arch()}` };
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
