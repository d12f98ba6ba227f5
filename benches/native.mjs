// llama.cpp itself, outside the browser, by its own llama-bench. It runs random
// tokens; `-d` fills the context before the decode that is timed.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isSpeed } from "./measures.mjs";
import { median } from "./report.mjs";

const run = promisify(execFile);
const REPETITIONS = 3;

/**
 * @param {string} program path of llama-bench
 * @param {object} task    as in visit.mjs, and `model`, the file
 * @param {(measure: object, outcome: object) => void} record
 * @returns {Promise<{info?: object}>}
 */
export async function native(program, task, record) {
  let info;
  for (const measure of task.measures.filter(isSpeed)) {
    try {
      const result = await llamaBench(program, task, measure);
      info = { variant: result.build_commit, threads: result.n_threads };
      record(measure, { value: median(result.samples_ts) });
    } catch (error) {
      const late = error.killed;
      record(measure, { failed: late ? `longer than ${task.limit} s` : lastLine(error.stderr) || `llama-bench ended with ${error.code}`, late });
    }
  }
  return { info };
}

async function llamaBench(program, { model, threads, decodeTokens, limit }, { kind, tokens }) {
  const test = kind === "prefill" ? ["-p", tokens, "-n", 0] : ["-p", 0, "-n", decodeTokens, ...(tokens > 0 ? ["-d", tokens] : [])];
  const options = ["-m", model, ...test, "-t", threads, "-ngl", 0, "-r", REPETITIONS, "-o", "json"];
  const { stdout } = await run(program, options.map(String), { timeout: limit * 1000, killSignal: "SIGKILL", maxBuffer: 2 ** 24 });
  return JSON.parse(stdout).at(-1);
}

function lastLine(text = "") {
  return text.trim().split("\n").at(-1);
}
