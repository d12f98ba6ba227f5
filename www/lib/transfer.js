// Conversations as files: JSON, which can be read back, and Markdown, for people.

import { newId } from "./id.js";
import { sound } from "./settings.js";

const FORMAT = "pagelm-conversations";
const VERSION = 1;
const ROLES = new Set(["user", "assistant"]);

/** All branches of these conversations, as JSON. */
export async function toJson(archive, ids) {
  const conversations = [];
  for (const id of ids) {
    const talk = await archive.open(id);
    if (talk) conversations.push({ ...talk.conversation, messages: talk.messages });
  }
  return JSON.stringify({ format: FORMAT, version: VERSION, exported: new Date().toISOString(), conversations }, null, 1);
}

/** What is read of a conversation, as Markdown. */
export function toMarkdown(talk) {
  const parts = [`# ${talk.title || "Conversation"}`];
  if (talk.settings.system.trim()) parts.push(`> ${talk.settings.system.trim().replaceAll("\n", "\n> ")}`);
  for (const { role, text, model, files = [] } of talk.path) {
    parts.push(`## ${role === "user" ? "You" : (model ?? "Answer")}`);
    for (const file of files) parts.push(fenced(file));
    parts.push(text.trim());
  }
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}

/**
 * Adds the conversations of a file, under ids of their own: what is here stays.
 * @returns {Promise<string[]>} the new ids
 * @throws {Error} with a sentence, if the file is not of this format
 */
export async function fromJson(archive, text) {
  const { conversations } = parsed(text);
  const ids = [];
  for (const given of conversations) {
    const { conversation, messages } = renewed(given);
    await archive.database.put("messages", ...messages);
    await archive.database.put("conversations", conversation);
    ids.push(conversation.id);
  }
  archive.changed();
  return ids;
}

function parsed(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON. Choose one that this page has exported.");
  }
  if (file?.format !== FORMAT || !Array.isArray(file.conversations)) throw new Error("This file holds no conversations of this page. Choose one that it has exported.");
  if (file.version > VERSION) throw new Error("This file is of a newer version of this page. Reload the page and try again.");
  return file;
}

/** A conversation with new ids, of sound fields only. */
function renewed(given) {
  const id = newId();
  const ids = new Map();
  const usable = (Array.isArray(given.messages) ? given.messages : []).filter(({ role, text }) => ROLES.has(role) && typeof text === "string");
  for (const message of usable) ids.set(message.id, newId());
  const messages = usable.map((message) => ({
    id: ids.get(message.id),
    conversation: id,
    parent: ids.get(message.parent) ?? null,
    role: message.role,
    text: message.text,
    created: time(message.created),
    state: ["stopped", "length", "failed"].includes(message.state) ? message.state : message.state === "writing" ? "stopped" : "done",
    ...(typeof message.model === "string" && { model: message.model }),
    ...(typeof message.reasoning === "string" && { reasoning: message.reasoning }),
    ...(Array.isArray(message.files) && { files: message.files.filter(({ name, text }) => typeof name === "string" && typeof text === "string").map(attachment) }),
  }));
  const conversation = {
    id,
    title: typeof given.title === "string" ? given.title : "",
    named: Boolean(given.named),
    created: time(given.created),
    updated: time(given.updated),
    leaf: ids.get(given.leaf) ?? messages.at(-1)?.id ?? null,
    settings: sound(given.settings ?? {}),
  };
  return { conversation, messages };
}

function attachment({ name, text, kept, total }) {
  return { name, text, kept: Number(kept) || 0, total: Number(total) || 0 };
}

function time(value) {
  return Number.isFinite(value) ? value : Date.now();
}

function fenced({ name, text }) {
  // A fence longer than any in the text.
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${name}:\n\n${fence}\n${text}\n${fence}`;
}

/** Hands a text to the reader as a file. */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A file's name from a title. */
export function fileName(title, ending) {
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60);
  return `${name || "conversation"}.${ending}`;
}
