// The page: finds out which model it is about, asks before anything is
// fetched, loads it, and hands over to the conversation. One view at a time.

import { announce } from "./lib/announce.js";
import { chosenModel, defaultModel, sizeOf } from "./lib/catalog.js";
import { openLibrary, storedCopy, storedModels, wasStopped } from "./lib/engine.js";
import { readSettings, writeSettings } from "./lib/settings.js";
import "./views/models-dialog.js";
import "./views/problem.js";
import "./views/progress.js";
import "./views/settings-dialog.js";
import "./views/welcome.js";

const views = {
  welcome: document.querySelector("pl-welcome"),
  progress: document.querySelector("pl-progress"),
  problem: document.querySelector("#load-problem"),
  chat: document.querySelector("pl-chat"),
};
const dialogs = {
  settings: document.querySelector("pl-settings"),
  models: document.querySelector("pl-models"),
};
const bar = {
  clear: document.querySelector("#clear"),
  models: document.querySelector("#models"),
  settings: document.querySelector("#settings"),
  name: document.querySelector("#model-name"),
};

let PageLM;
let model;
let lm;
let loading; // AbortController of the load that goes on
let settings = readSettings();
// How the model is loaded, beyond the settings: a remedy may change it.
let loadOptions = {};

async function start() {
  try {
    model = await chosenModel();
    bar.name.textContent = model.name;
    ({ PageLM } = await openLibrary());
    const copy = await storedCopy(PageLM, model.url);
    if (copy?.complete) await load(copy);
    else await welcome();
  } catch (error) {
    problem(error, "This page could not start");
  }
}

async function welcome() {
  model.bytes ??= await sizeOf(model.url);
  const copy = await storedCopy(PageLM, model.url);
  views.welcome.show(model, Boolean(copy?.complete));
  show("welcome");
}

async function load(stored) {
  loading = new AbortController();
  const { signal } = loading;
  views.progress.start({ ...model, bytes: model.bytes ?? stored?.bytes }, Boolean(stored));
  show("progress");
  // The conversation and what it draws with: made ready while the model loads.
  const chat = import("./views/chat.js");
  announce(stored ? `Loading ${model.name} from this device.` : `Downloading ${model.name}.`);
  try {
    lm = await PageLM.load(model.url, { ...threadOptions(), ...loadOptions, signal, onProgress: (progress) => views.progress.update(progress) });
    await chat;
    ready();
  } catch (error) {
    if (wasStopped(error, signal)) await welcome();
    else problem(error, "The model could not be loaded");
  }
}

function ready() {
  views.chat.start(lm, model, () => settings);
  show("chat");
  bar.clear.hidden = false;
  views.chat.focus();
  document.title = `${model.short} – pagelm`;
  announce(`${model.short} is ready.`);
}

function problem(error, title) {
  views.problem.show(error, title);
  show("problem");
}

/** Shows one view, and takes the focus along if it was in the one before. */
function show(name) {
  const held = document.querySelector("main").contains(document.activeElement);
  for (const [key, view] of Object.entries(views)) view.hidden = key !== name;
  document.body.dataset.view = name;
  if (held) views[name].querySelector("h1")?.focus();
}

function threadOptions() {
  return settings.threads === "1" ? { threads: 1 } : {};
}

async function openModels() {
  dialogs.models.open(await storedModels(PageLM), model?.url, (await defaultModel()).url);
}

async function remove(url) {
  try {
    await PageLM.remove(url);
    announce("Deleted.");
  } catch (error) {
    announce(error.message);
  }
  dialogs.models.show(await storedModels(PageLM), model?.url, (await defaultModel()).url);
}

/** What the buttons under an error do, by remedy. */
const remedies = {
  retry: () => (PageLM ? load() : location.reload()),
  reload: () => reload(loadOptions),
  unstored: () => reload({ ...loadOptions, cache: false }),
  single: () => reload({ ...loadOptions, threads: 1 }),
  choose: openModels,
  refetch: async () => {
    // What cannot be deleted is written over by the load.
    await PageLM.remove(model.url).catch(() => {});
    await reload(loadOptions);
  },
};

async function reload(options) {
  loadOptions = options;
  if (lm) {
    views.chat.stop();
    await lm.unload();
    lm = undefined;
  }
  bar.clear.hidden = true;
  await load();
}

bar.settings.addEventListener("click", () => dialogs.settings.open(settings, lm?.info));
bar.models.addEventListener("click", openModels);
bar.clear.addEventListener("click", () => views.chat.clear());
dialogs.settings.addEventListener("settings", ({ detail }) => writeSettings((settings = detail)));
dialogs.models.addEventListener("remove", ({ detail }) => remove(detail));
views.welcome.addEventListener("accept", () => load());
views.welcome.addEventListener("choose", openModels);
views.progress.addEventListener("cancel", () => loading.abort());
document.addEventListener("remedy", ({ detail }) => remedies[detail]());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && lm && !document.querySelector("dialog[open]")) views.chat.stop();
});

start();
