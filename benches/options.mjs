// The command line of run.mjs.

import { existsSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { PROJECT, REAL_MODEL_FILE } from "../tests/browser/fixtures.mjs";
import { chosenEngines } from "./engines.mjs";
import { EVERY, QUICK, contextFor, measure, whileBusy } from "./measures.mjs";

const OPTIONS = {
  peers: { type: "boolean", default: false },
  engines: { type: "string" },
  onnx: { type: "string" },
  "llama-bench": { type: "string" },
  model: { type: "string", default: REAL_MODEL_FILE },
  threads: { type: "string" },
  variant: { type: "string" },
  "kv-cache": { type: "string" },
  quick: { type: "boolean", default: false },
  measures: { type: "string" },
  "no-busy": { type: "boolean", default: false },
  rounds: { type: "string", default: "5" },
  "decode-tokens": { type: "string", default: "128" },
  limit: { type: "string", default: "300" },
  json: { type: "string", default: path.join(PROJECT, "benches/out/bench.json") },
  help: { type: "boolean", default: false },
};

const HELP = `Usage: node benches/run.mjs [options]
  --peers             measure every engine that can be had (default: pagelm alone)
  --engines a,b       measure these: pagelm, pagelm-opfs, wllama, wllama-tuned, wllama2, wllama2-tuned, transformers, native
  --onnx FOLDER       the model in ONNX, for transformers.js (transformers/make_onnx.py makes it of a GGUF)
  --llama-bench FILE  llama.cpp's own program, for the native column
  --model FILE        GGUF file (default: the demo model in www/models)
  --threads a,b       a scenario for each of these numbers of threads (default: 1, and all cores)
  --variant NAME      force pagelm's binary: simd, relaxed or threads
  --kv-cache NAME     pagelm's keys and values: f32, f16 or q8
  --quick             fewer measures, and no scenario with a busy core: minutes in place of hours
  --measures a,b      these: ${EVERY.join(", ")};
                      prefill-N and decode-N exist for every N
  --no-busy           leave out the scenarios in which another process keeps one core busy
  --rounds N          repetitions of everything (default 5)
  --decode-tokens N   tokens generated in each decode (default 128)
  --limit SECONDS     give up for good what takes longer (default 300)
  --json FILE         where the results go (default benches/out/bench.json; the tables beside it)
`;

/** pagelm takes no more, wllama takes what it is given. */
const MOST_THREADS = 16;

/** What to do, or undefined when only help was asked for. */
export function readOptions(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  requireFile(values.model, "Run ./build.sh serve, or give --model.");
  if (values.onnx) requireFile(values.onnx, "Give --onnx a folder.");
  if (values["llama-bench"]) requireFile(values["llama-bench"], "Give --llama-bench the path of the program.");
  const names = values.measures?.split(",") ?? (values.quick ? QUICK : EVERY);
  const measures = names.map(measure);
  const decodeTokens = wholeNumber("decode-tokens", values["decode-tokens"], 2);
  return {
    ...chosenEngines(values),
    measures,
    scenarios: scenariosOf(values, measures),
    model: values.model,
    bytes: statSync(values.model).size,
    onnx: values.onnx,
    llamaBench: values["llama-bench"],
    variant: values.variant,
    kvCache: values["kv-cache"],
    rounds: wholeNumber("rounds", values.rounds, 1),
    limit: wholeNumber("limit", values.limit, 1),
    decodeTokens,
    context: contextFor(measures, decodeTokens),
    json: path.resolve(values.json),
  };
}

/** Each number of threads alone on the machine, then each beside a busy core. */
function scenariosOf(values, measures) {
  const asked = values.threads?.split(",") ?? new Set([1, Math.min(os.availableParallelism(), MOST_THREADS)]);
  const counts = [...asked].map((count) => wholeNumber("threads", count, 1));
  const idle = counts.map((threads) => ({ name: `${threads}`, title: threadsOf(threads), threads, busy: false, measures }));
  const slower = whileBusy(measures);
  if (values.quick || values["no-busy"] || slower.length === 0) return idle;
  const busy = counts.map((threads) => ({ name: `${threads}-busy`, title: `${threadsOf(threads)}, one core kept busy by another process`, threads, busy: true, measures: slower }));
  return [...idle, ...busy];
}

function threadsOf(count) {
  return count === 1 ? "1 thread" : `${count} threads`;
}

function requireFile(file, advice) {
  if (!existsSync(file)) throw new Error(`There is no ${file}. ${advice}`);
}

function wholeNumber(key, value, least) {
  const number = Number(value);
  if (!Number.isInteger(number) || number < least) throw new Error(`--${key} must be a whole number from ${least}.`);
  return number;
}
