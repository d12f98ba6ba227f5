// One conversation as a tree of messages: each names the one before it, and what
// is read is the way from the first to the leaf. Editing and regenerating add
// branches; nothing that was said is overwritten.

import { newId } from "./id.js";

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {string} conversation
 * @property {string | null} parent  the message before it
 * @property {"user" | "assistant"} role
 * @property {string} text
 * @property {number} created
 * @property {"done" | "writing" | "stopped" | "length" | "failed"} state
 * @property {Attachment[]} [files]  of a question
 * @property {string} [model]        who answered
 * @property {string} [reasoning]    what the model thought before it answered
 * @property {object} [trace]        what the answer cost, see lib/engine.js
 *
 * @typedef {object} Attachment
 * @property {string} name
 * @property {string} text   as far as it is given to the model
 * @property {number} kept   tokens of it
 * @property {number} total  tokens of the whole file
 */

const TITLE_LENGTH = 60;

export class Talk {
  /** Whether its last message is stored. */
  kept = true;
  #archive;
  #messages = new Map();

  /**
   * @param {import("./archive.js").Archive} archive
   * @param {import("./archive.js").Conversation} conversation
   * @param {Message[]} messages all of its branches
   */
  constructor(archive, conversation, messages) {
    this.#archive = archive;
    this.conversation = conversation;
    messages.sort((a, b) => a.created - b.created);
    for (const message of messages) this.#messages.set(message.id, message);
  }

  get id() {
    return this.conversation.id;
  }

  get title() {
    return this.conversation.title;
  }

  get settings() {
    return this.conversation.settings;
  }

  get empty() {
    return this.#messages.size === 0;
  }

  /** Every message of every branch, the oldest first. */
  get messages() {
    return [...this.#messages.values()];
  }

  /** From the first message to the leaf. */
  get path() {
    return this.pathTo(this.#messages.get(this.conversation.leaf));
  }

  /** From the first message to this one. */
  pathTo(message) {
    const path = [];
    for (let at = message; at; at = this.#messages.get(at.parent)) path.unshift(at);
    return path;
  }

  /** The messages that stand in one place, this one among them, the oldest first. */
  siblings({ parent }) {
    return this.messages.filter((message) => message.parent === parent);
  }

  parent({ parent }) {
    return this.#messages.get(parent);
  }

  /**
   * Adds a message behind `parent`, where the conversation goes on from now on. It is here
   * also where `keep` fails.
   * @param {Partial<Message>} fields
   */
  add(parent, fields) {
    const message = { id: newId(), conversation: this.id, parent: parent?.id ?? null, created: Date.now(), state: "done", ...fields };
    this.#messages.set(message.id, message);
    const { conversation } = this;
    conversation.leaf = message.id;
    conversation.updated = Date.now();
    if (!conversation.title && message.role === "user") conversation.title = titleFrom(message);
    return message;
  }

  /** Stores new messages, and the conversation that goes on with them. */
  async keep(...messages) {
    this.kept = false;
    await this.save(...messages);
    await this.#archive.save(this.conversation);
    this.kept = true;
  }

  save(...messages) {
    return this.#archive.database.put("messages", ...messages);
  }

  /** Goes on along the branch of this message, to where it was last written. */
  async follow(message) {
    let leaf = message;
    for (;;) {
      const next = this.messages.filter(({ parent }) => parent === leaf.id).at(-1);
      if (!next) break;
      leaf = next;
    }
    this.conversation.leaf = leaf.id;
    await this.#archive.save(this.conversation);
  }

  /** Settings of a conversation nobody has spoken in yet are kept with its first message. */
  async set(settings) {
    this.conversation.settings = settings;
    if (!this.empty) await this.#archive.save(this.conversation);
  }
}

function titleFrom({ text, files }) {
  const line = text.trim().split("\n")[0] || files?.[0]?.name || "";
  if (line.length <= TITLE_LENGTH) return line;
  return `${line.slice(0, TITLE_LENGTH).replace(/\s+\S*$/, "")}…`;
}
