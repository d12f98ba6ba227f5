// The page that measures: asks before anything is fetched, loads the model once
// for each number of threads, and shows what came out. One view at a time.
//
// ?model=URL measures another model. ?tokens=N makes every prompt and answer N
// tokens long, for a test.

import { announce } from "./lib/announce.js";
import { chosenModel, complete } from "./lib/catalog.js";
import { openLibrary, storedCopy, wasStopped } from "./lib/engine.js";
import { CONTEXT, MEASURES, lengthsFrom, measure, threadCounts } from "./lib/measure.js";
import { threadsOf, titleOf } from "./lib/measured.js";
import "./views/bench-result.js";
import "./views/bench-welcome.js";
import "./views/measuring.js";
import "./views/problem.js";
import "./views/progress.js";

const views = {
  welcome: document.querySelector("pl-bench-welcome"),
  progress: document.querySelector("pl-progress"),
  measuring: document.querySelector("pl-measuring"),
  result: document.querySelector("pl-bench-result"),
  problem: document.querySelector("pl-problem"),
};
const lengths = lengthsFrom(location.search);

let PageLM;
let model;
let running; // AbortController of the measurement that goes on

async function start() {
  try {
    model = await chosenModel();
    document.querySelector("#model-name").textContent = model.name;
    ({ PageLM } = await openLibrary());
    await welcome();
  } catch (error) {
    problem(error, "This page could not start");
  }
}

async function welcome() {
  await complete(model);
  views.welcome.show(model, await isStored(), threadCounts());
  show("welcome");
}

/** @param {object} [options] how the model is loaded: a remedy may change it */
async function run(options = {}) {
  running = new AbortController();
  const { signal } = running;
  try {
    const measured = await measureAll(options, signal);
    views.result.show(measured, remarkOn(measured));
    show("result");
    announce("The measurement is done.");
  } catch (error) {
    if (wasStopped(error, signal)) await welcome();
    else problem(error, "The measurement could not be made");
  }
}

/** All numbers of threads, the most first; without a stored copy only that, as the rest would be downloads. */
async function measureAll({ threads, ...options }, signal) {
  const counts = threads ? [threads] : threadCounts();
  const measured = { model, lengths, columns: [], planned: counts.length };
  for (const [turn, count] of counts.entries()) {
    if (turn > 0 && !(await isStored())) break;
    const { lm, stored } = await load({ ...options, threads: count }, signal);
    try {
      const { info } = lm;
      const begins = (key) => step(turn * MEASURES.length, counts.length * MEASURES.length, key, info.threads);
      const rates = await measure(lm, lengths, signal, begins);
      measured.info = info;
      measured.stored = stored ?? measured.stored;
      measured.columns.unshift({ threads: info.threads, variant: info.variant, rates });
    } finally {
      await lm.unload();
    }
  }
  return measured;
}

/** The model, and where it came from this browser's storage, how many milliseconds that took. */
async function load(options, signal) {
  const copy = await isStored();
  views.progress.start(model, copy);
  show("progress");
  announce(copy ? `Loading ${model.name} from this device.` : `Downloading ${model.name}.`);
  let downloaded = false;
  const onProgress = (progress) => {
    downloaded ||= progress.phase === "download";
    views.progress.update(progress);
  };
  const start = performance.now();
  // Not shared: another tab's engine would be measured with what else it does.
  const lm = await PageLM.load(model.url, { context: CONTEXT, shared: false, ...options, signal, onProgress });
  return { lm, stored: downloaded ? undefined : performance.now() - start };
}

function step(before, total, key, threads) {
  const done = before + Math.max(0, MEASURES.findIndex((measure) => measure.key === key));
  const words = `${titleOf(key, lengths)}, ${threadsOf(threads)}`;
  views.measuring.update(done, total, words);
  show("measuring");
  announce(words);
}

async function isStored() {
  return Boolean((await storedCopy(PageLM, model.url))?.complete);
}

function remarkOn({ columns, planned }) {
  if (columns.length === planned) return undefined;
  return "This browser did not keep the model, so it was measured once: more would be another download.";
}

function problem(error, title) {
  views.problem.show(error, title);
  show("problem");
}

/** Shows one view, and takes the focus along if it was in the one before. */
function show(name) {
  if (!views[name].hidden) return;
  const held = document.querySelector("main").contains(document.activeElement);
  for (const [key, view] of Object.entries(views)) view.hidden = key !== name;
  if (held) views[name].querySelector("h1")?.focus();
}

/** What the buttons under an error do, by remedy. */
const remedies = {
  retry: () => (PageLM ? run() : location.reload()),
  reload: () => run(),
  unstored: () => run({ cache: false }),
  single: () => run({ threads: 1 }),
  choose: () => location.assign("./"),
  clear: () => run(),
  refetch: async () => {
    // What cannot be deleted is written over by the load.
    await PageLM.remove(model.url).catch(() => {});
    await run();
  },
};

views.welcome.addEventListener("accept", () => run());
views.result.addEventListener("again", () => run());
views.progress.addEventListener("cancel", () => running.abort());
views.measuring.addEventListener("cancel", () => running.abort());
document.addEventListener("remedy", ({ detail }) => remedies[detail]());

start();
