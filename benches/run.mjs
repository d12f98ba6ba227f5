// Measures pagelm, and with --peers other engines, on one model file in one
// headless Chromium, in alternation. `node benches/run.mjs --help` says how.
//
// An engine is one file in engines/, an ES module that runs in the page:
//   load({ url, threads, context, variant }) → { variant, threads }
//   prefill(prompt)       → { tokens, ms }   the prompt's tokens
//   decode(prompt, count) → { tokens, ms }   tokens after the first
//   unload()
// All engines are timed alike, by the page's clock around the public API.

import { mkdir, writeFile } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { launchProfile } from "../tests/browser/chromium.mjs";
import { PROJECT, REAL_MODEL_FILE } from "../tests/browser/fixtures.mjs";
import { sendFile, serve } from "../tests/browser/server.mjs";
import { shortPrompt, wordPrompt } from "./prompts.mjs";
import { markdown, summarise } from "./report.mjs";

const OPTIONS = {
  peers: { type: "boolean", default: false },
  engines: { type: "string" },
  model: { type: "string", default: REAL_MODEL_FILE },
  threads: { type: "string", default: "2" },
  variant: { type: "string" },
  rounds: { type: "string", default: "5" },
  "prefill-tokens": { type: "string", default: "512" },
  "decode-tokens": { type: "string", default: "128" },
  json: { type: "string" },
  help: { type: "boolean", default: false },
};

const HELP = `Usage: node benches/run.mjs [options]
  --peers              measure every engine in benches/engines (default: pagelm alone)
  --engines a,b        measure these engines
  --model FILE         GGUF file (default: the demo model in www/models)
  --threads N          threads, 1 or more (default 2)
  --variant NAME       force pagelm's binary: simd, relaxed or threads
  --rounds N           repetitions of everything (default 5)
  --prefill-tokens N   length of the prompt (default 512)
  --decode-tokens N    tokens generated (default 128)
  --json FILE          where the results go (default benches/out/bench.json; the table beside it)
`;

const CONTEXT = 2048;
const ENGINES = path.join(PROJECT, "benches", "engines");

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return process.stdout.write(HELP);
  const engines = chosenEngines(values);
  if (!existsSync(values.model)) throw new Error(`No model at ${values.model}. Run ./build.sh bench, or give --model.`);
  const settings = {
    model: path.basename(values.model),
    threads: positive(values, "threads"),
    variant: values.variant,
    rounds: positive(values, "rounds"),
    prefillTokens: positive(values, "prefill-tokens"),
    decodeTokens: positive(values, "decode-tokens"),
    context: CONTEXT,
  };

  const server = await serve({ root: PROJECT, isolated: true });
  server.route("bench.html", (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end("<!doctype html><title>bench</title>");
  });
  // One address for every model file, so that the engines' caches see an ordinary name.
  server.route(`model/${settings.model}`, (request, response) => sendFile(request, response, path.resolve(values.model)));

  const runs = [];
  let browser;
  try {
    for (let round = 0; round < settings.rounds; round++) {
      // Each round turns the order round, so that a slow drift of the machine favours nobody.
      const order = round % 2 === 0 ? engines : [...engines].reverse();
      for (const engine of order) {
        const run = await measure(server, engine, settings, round);
        browser = run.browser;
        runs.push(run);
        console.error(progressLine(run));
      }
    }
  } finally {
    await server.stop();
  }

  const result = { date: new Date().toISOString(), machine: machine(), browser, settings, summary: summarise(runs), runs };
  const json = path.resolve(values.json ?? path.join(PROJECT, "benches/out/bench.json"));
  const table = markdown(result);
  await mkdir(path.dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(json.replace(/(\.json)?$/, ".md"), table);
  process.stdout.write(table);
}

/** One engine, one round: a new profile, load from network, load from cache, warm up, measure. */
async function measure(server, engine, settings, round) {
  const { context, close } = await launchProfile();
  try {
    const browser = context.browser()?.version() ?? "";
    const job = {
      module: server.url(`benches/engines/${engine}.js`),
      load: { url: server.url(`model/${settings.model}`), ...pick(settings, "threads", "context", "variant") },
      warmup: { prefill: wordPrompt(64, 1000 + round), decode: shortPrompt(1000 + round) },
      prefill: wordPrompt(settings.prefillTokens, round),
      decode: shortPrompt(round),
      count: settings.decodeTokens,
    };
    const network = await inFreshPage(context, server, job, loadOnly);
    const cached = await inFreshPage(context, server, job, loadAndMeasure);
    return { engine, round, browser, network: network.ms, cache: cached.ms, ...cached };
  } finally {
    await close();
  }
}

async function inFreshPage(context, server, job, task) {
  const page = await context.newPage();
  try {
    await page.goto(server.url("bench.html"));
    return await page.evaluate(task, job);
  } finally {
    await page.close();
  }
}

// --- in the page ---------------------------------------------------------

async function loadOnly(job) {
  const engine = await import(job.module);
  const start = performance.now();
  await engine.load(job.load);
  const ms = performance.now() - start;
  await engine.unload();
  return { ms };
}

async function loadAndMeasure(job) {
  const engine = await import(job.module);
  const start = performance.now();
  const info = await engine.load(job.load);
  const ms = performance.now() - start;
  await engine.prefill(job.warmup.prefill);
  await engine.decode(job.warmup.decode, 16);
  const prefill = await engine.prefill(job.prefill);
  const decode = await engine.decode(job.decode, job.count);
  await engine.unload();
  return { info, ms, prefill, decode };
}

// --- small things ----------------------------------------------------------

function chosenEngines(values) {
  const all = readdirSync(ENGINES).filter((file) => file.endsWith(".js")).map((file) => path.basename(file, ".js"));
  const chosen = values.engines ? values.engines.split(",") : values.peers ? ["pagelm", ...all.filter((name) => name !== "pagelm")] : ["pagelm"];
  const unknown = chosen.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`No engine ${unknown.join(", ")}; there are ${all.join(", ")}.`);
  return chosen;
}

function positive(values, key) {
  const number = Number(values[key]);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${key} must be a whole number from 1.`);
  return number;
}

function pick(object, ...keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}

function machine() {
  const cpus = os.cpus();
  return { cpu: cpus[0]?.model ?? "unknown", cores: cpus.length, memoryGiB: Math.round(os.totalmem() / 2 ** 30), platform: `${os.platform()} ${os.arch()}` };
}

function progressLine({ engine, round, prefill, decode, network, cache }) {
  const rate = ({ tokens, ms }) => ((tokens / ms) * 1000).toFixed(1);
  return `round ${round + 1} ${engine}: prefill ${rate(prefill)} tok/s, decode ${rate(decode)} tok/s, load ${seconds(network)} s, from cache ${seconds(cache)} s`;
}

function seconds(ms) {
  return (ms / 1000).toFixed(2);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
