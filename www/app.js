// The page: makes the parts known to each other, and turns what the reader does
// into their acts.

import { announce } from "./lib/announce.js";
import { localModel } from "./lib/catalog.js";
import { keepDraft, takeDraft } from "./lib/draft.js";
import { onDrop } from "./lib/drop.js";
import { Host } from "./lib/host.js";
import { Inspecting } from "./lib/inspecting.js";
import { Archive } from "./lib/archive.js";
import { applyTheme, remember, setTheme, setThreads, theme, THEMES } from "./lib/preferences.js";
import { readSettings, writeSettings } from "./lib/settings.js";
import { keepForOffline, startShell, takeShared } from "./lib/shell.js";
import { listen } from "./lib/shortcuts.js";
import { Side } from "./lib/side.js";
import "./views/chat.js";
import { conversationActs, importJson, archiveActs } from "./views/conversation-acts.js";
import "./views/gate.js";
import "./views/help-dialog.js";
import { openMenu } from "./views/menu.js";
import "./views/models-dialog.js";
import { notify } from "./views/notice.js";
import "./views/room-dialog.js";
import "./views/settings-dialog.js";
import "./views/sidebar.js";

const element = (selector) => document.querySelector(selector);
const chat = element("pl-chat");
const gate = element("pl-gate");
const sidebar = element("pl-sidebar");
const dialogs = { settings: element("pl-settings"), models: element("pl-models"), help: element("pl-help") };
const bar = { title: element("#title"), begin: element("#begin"), model: element("#model-button"), inspect: element("#inspect"), settings: element("#settings"), more: element("#more") };

const host = new Host();
const side = new Side(element("#side"), element("#page"), element("#menu"), element("#veil"));
const inspecting = new Inspecting({ panel: element("#panel"), page: element("#page"), button: bar.inspect, chat, host });
let archive;

async function start() {
  applyTheme();
  chat.start(host);
  archive = await Archive.open();
  archive.addEventListener("change", refresh);
  dialogs.settings.start(archive.database);
  await Promise.all([sidebar.start(archive), open()]);
  gate.start(host);
  host.addEventListener("state", hostChanged);
  host.onQuota = (quota) => element("pl-room").ask(quota);
  if (!archive.kept) notify("This browser keeps no conversations here: they end with the page. Export what matters.", { label: "Understood", act: () => {} });
  await takeWhatCame();
  // It may load the page once more, isolated: no model is loaded before that.
  const busy = () => chat.answering || host.state === "loading";
  const begun = () => !["starting", "asking"].includes(host.state) || !chat.talk.empty || chat.draft.text !== "";
  await startShell({ busy, begun, offer: (update) => notify("A new version is here.", { label: "Update", act: update }) });
  await host.start();
}

/** What another app shares, what the system opens with this one, and what was not sent before a reload. */
async function takeWhatCame() {
  const query = new URLSearchParams(location.search);
  if (query.has("shared")) {
    const shared = await takeShared();
    if (shared) chat.draft = { text: shared.text, files: [] };
    if (shared?.files.length > 0) whenReady(() => chat.attach(shared.files));
  } else {
    const draft = takeDraft(chat.talk.id, Boolean(location.hash));
    if (draft) chat.draft = draft;
  }
  if (query.has("inspect")) inspecting.open();
  if (["shared", "new", "inspect"].some((name) => query.has(name))) history.replaceState(null, "", location.pathname + location.hash);
  globalThis.launchQueue?.setConsumer(async ({ files }) => {
    if (files.length > 0) whenReady(async () => take(await Promise.all(files.map((file) => file.getFile()))));
  });
}

function whenReady(act) {
  host.ready(new AbortController().signal).then(act);
}

/** Shows the conversation that the address names, or a new one. */
async function open() {
  const id = location.hash.slice(1);
  const fresh = () => archive.begin(readSettings());
  const shown = await chat.show(id ? archive.open(id).then((talk) => talk ?? fresh()) : fresh());
  if (!shown) return;
  sidebar.current = chat.talk.id;
  showTitle();
  inspecting.conversationChanged();
}

/** Turns to a conversation; without its id, to a new one. */
function go(id = "") {
  if (id && id === location.hash.slice(1)) return;
  // A changed hash would be heard of only later: what is done until then would be done to the old conversation.
  if (location.hash || id) history.pushState(null, "", id ? `#${id}` : location.pathname + location.search);
  open();
}

function begin() {
  // At the start a conversation is on its way anyway.
  if (!chat.talk) return;
  go();
  side.close();
  chat.focus();
  announce("New chat.");
}

/** What has been changed here or in another tab. */
async function refresh() {
  const { talk } = chat;
  if (!talk || talk.empty) return;
  const now = await archive.database.get("conversations", talk.id);
  if (now) Object.assign(talk.conversation, { title: now.title, named: now.named });
  // Another has been chosen meanwhile.
  if (chat.talk !== talk || chat.opening) return;
  if (!now && talk.kept && !chat.answering) return begin();
  showTitle();
  // A conversation has an address from its first message on.
  if (location.hash.slice(1) !== talk.id) {
    history.replaceState(null, "", `#${talk.id}`);
    sidebar.current = talk.id;
  }
}

function showTitle() {
  const title = chat.talk.title || "New chat";
  bar.title.textContent = title;
  bar.more.hidden = chat.talk.empty;
  document.title = chat.talk.title ? `${title} – pagelm` : "pagelm: a language model in this page";
}

function hostChanged() {
  const { state, model } = host;
  bar.model.querySelector(".model-name").textContent = model?.short ?? "none";
  bar.model.title = model?.name ?? "";
  if (state === "ready") {
    remember("model", model.local ? null : model.url);
    keepForOffline(host.lm.info.variant);
    // Where the focus was is gone with the gate.
    if (!document.querySelector("dialog[open]") && (document.activeElement === document.body || gate.contains(document.activeElement))) chat.focus();
  }
}

/** The conversation whose settings are shown. */
let changing;

async function openSettings() {
  await chat.opened();
  changing = chat.talk;
  dialogs.settings.open(changing.settings, host.lm?.info, host.model);
}

async function openModels() {
  await dialogs.models.open(await host.storedModels(), host.model);
}

async function useModel(model) {
  // The address names a model only until another is chosen.
  history.replaceState(null, "", location.pathname + location.hash);
  chat.stopAll();
  await host.use(model);
}

async function removeModel(url) {
  try {
    await host.remove(url);
    announce("Deleted.");
  } catch (error) {
    notify(error.message);
  }
  await dialogs.models.show(await host.storedModels(), host.model);
}

function take(files) {
  const model = files.find(({ name }) => /\.gguf$/i.test(name));
  const talks = files.find(({ name, type }) => type === "application/json" && /conversations?\b.*\.json$/i.test(name));
  if (model) useModel(localModel(model));
  else if (talks) talks.text().then((text) => importJson(archive, text, go));
  else chat.attach(files);
}

/** What the buttons under an error do, by remedy. */
const remedies = {
  retry: () => (host.PageLM && host.model ? host.load() : location.reload()),
  reload: () => host.reload(),
  unstored: () => host.reload({ cache: false }),
  single: () => host.reload({ threads: 1 }),
  choose: openModels,
  clear: begin,
  refetch: () => host.refetch(),
};

const acts = {
  begin,
  help: () => dialogs.help.open(),
  inspect: () => inspecting.open(),
  regenerate: () => chat.regenerate(),
  search: () => (side.show(), sidebar.focusSearch()),
  settings: openSettings,
  side: () => side.toggle(),
  stop: () => chat.stop(),
  write: () => chat.focus(),
};

// An address of its own would be taken for a conversation's.
element(".skip").addEventListener("click", (event) => (event.preventDefault(), chat.focus()));
bar.begin.addEventListener("click", begin);
bar.model.addEventListener("click", openModels);
bar.settings.addEventListener("click", acts.settings);
bar.more.addEventListener("click", () => openMenu(bar.more, conversationActs(archive, chat.talk.conversation)));
gate.addEventListener("choose", openModels);
sidebar.addEventListener("chosen", ({ detail }) => (go(detail), side.close()));
sidebar.addEventListener("help", acts.help);
sidebar.addEventListener("all", async ({ detail }) => {
  await chat.opened();
  openMenu(detail, archiveActs(archive, go));
});
sidebar.addEventListener("theme", ({ detail }) => {
  openMenu(detail, Object.entries(THEMES).map(([name, label]) => ({ label, checked: theme() === name, act: () => setTheme(name) })));
});
dialogs.settings.addEventListener("settings", ({ detail }) => {
  writeSettings(detail);
  changing.set(detail);
});
dialogs.settings.addEventListener("theme", ({ detail }) => setTheme(detail));
dialogs.settings.addEventListener("threads", ({ detail }) => setThreads(detail));
dialogs.models.addEventListener("use", ({ detail }) => useModel(detail));
dialogs.models.addEventListener("file", ({ detail }) => useModel(localModel(detail)));
dialogs.models.addEventListener("remove", ({ detail }) => removeModel(detail));
document.addEventListener("remedy", ({ detail }) => {
  if (detail !== "clear" && detail !== "choose") chat.stopAll();
  remedies[detail]();
});
window.addEventListener("hashchange", open);
window.addEventListener("pagehide", () => keepDraft(chat.talk?.id, chat.draft));
listen(acts);
onDrop(take);

start();
