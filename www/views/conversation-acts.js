// What can be done with a conversation, as items of a menu; and with all.

import { download, fileName, fromJson, toJson, toMarkdown } from "../lib/transfer.js";
import { askText, askWhether } from "./ask.js";
import { notify } from "./notice.js";

/** @param {import("../lib/archive.js").Conversation} conversation */
export function conversationActs(archive, { id, title }) {
  return [
    { label: "Rename…", icon: "edit", act: () => rename(archive, id, title) },
    { label: "Export as Markdown", icon: "download", act: () => exportMarkdown(archive, id) },
    { label: "Export as JSON", icon: "download", act: async () => download(fileName(title, "json"), await toJson(archive, [id]), "application/json") },
    { label: "Delete…", icon: "trash", danger: true, act: () => remove(archive, id, title) },
  ];
}

/** @param {(id: string) => void} go shows a conversation */
export function archiveActs(archive, go) {
  return [
    { label: "Import…", icon: "upload", act: () => importFile(archive, go) },
    { label: "Export all as JSON", icon: "download", act: () => exportAll(archive) },
    { label: "Delete all…", icon: "trash", danger: true, act: () => clear(archive) },
  ];
}

/** Adds the conversations of a file that this page has exported, and shows the first. */
export async function importJson(archive, text, go) {
  try {
    const ids = await fromJson(archive, text);
    notify(ids.length === 1 ? "Imported 1 conversation." : `Imported ${ids.length} conversations.`);
    if (ids.length > 0) go(ids[0]);
  } catch (error) {
    notify(error.message);
  }
}

async function rename(archive, id, title) {
  const name = await askText({ title: "Rename the conversation", label: "Name", value: title, action: "Rename" });
  if (name) await archive.rename(id, name);
}

async function exportMarkdown(archive, id) {
  const talk = await archive.open(id);
  if (talk) download(fileName(talk.title, "md"), toMarkdown(talk), "text/markdown");
}

async function remove(archive, id, title) {
  const text = `“${title || "New chat"}” and all its branches are deleted from this browser. This cannot be undone.`;
  if (await askWhether({ title: "Delete this conversation?", text, action: "Delete" })) await archive.remove(id);
}

async function exportAll(archive) {
  const ids = (await archive.list()).map(({ id }) => id);
  if (ids.length === 0) notify("There are no conversations to export.");
  else download("pagelm-conversations.json", await toJson(archive, ids), "application/json");
}

async function clear(archive) {
  const { length } = await archive.list();
  const text = `${length === 1 ? "One conversation is" : `${length} conversations are`} deleted from this browser. This cannot be undone; an export keeps a copy.`;
  if (length > 0 && (await askWhether({ title: "Delete all conversations?", text, action: "Delete all" }))) await archive.clear();
}

function importFile(archive, go) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".json,application/json";
  input.addEventListener("change", async () => importJson(archive, await input.files[0].text(), go));
  input.click();
}
