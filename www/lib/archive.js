// All conversations: the list, search, deletion, and what other tabs change.

import { openDatabase } from "./database.js";
import { newId } from "./id.js";
import { Talk } from "./talk.js";

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title     empty until the first question
 * @property {boolean} named    whether its reader chose the title
 * @property {number} created   milliseconds since 1970
 * @property {number} updated
 * @property {string | null} leaf the message that the conversation ends with
 * @property {object} settings  see lib/settings.js
 */

const CHANNEL = "pagelm-chats";

/** Sends "change" when the list is another one. */
export class Archive extends EventTarget {
  #database;
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;

  static async open() {
    return new Archive(await openDatabase());
  }

  constructor(database) {
    super();
    this.#database = database;
    if (this.#channel) this.#channel.onmessage = () => this.dispatchEvent(new Event("change"));
  }

  get database() {
    return this.#database;
  }

  /** Whether conversations outlive the page. */
  get kept() {
    return this.#database.kept;
  }

  /** @returns {Promise<Conversation[]>} the last used first */
  async list() {
    return (await this.#database.all("conversations")).sort((a, b) => b.updated - a.updated);
  }

  /** Those whose title or messages have all words of `query`, with the place of the first. */
  async search(query) {
    const words = fold(query).split(/\s+/).filter(Boolean);
    const list = await this.list();
    if (words.length === 0) return list;
    const texts = new Map(list.map(({ id, title }) => [id, fold(title)]));
    for (const { conversation, text } of await this.#database.all("messages")) {
      texts.set(conversation, `${texts.get(conversation) ?? ""}\n${fold(text)}`);
    }
    return list.filter(({ id }) => words.every((word) => texts.get(id).includes(word)));
  }

  /** The conversation with this id, or undefined. */
  async open(id) {
    const conversation = await this.#database.get("conversations", id);
    return conversation && new Talk(this, conversation, await this.#database.where("messages", id));
  }

  /** A new conversation, which is stored with its first message. */
  begin(settings) {
    const now = Date.now();
    return new Talk(this, { id: newId(), title: "", named: false, created: now, updated: now, leaf: null, settings }, []);
  }

  async save(conversation) {
    await this.#database.put("conversations", conversation);
    this.changed();
  }

  async rename(id, title) {
    const conversation = await this.#database.get("conversations", id);
    if (conversation) await this.save({ ...conversation, title, named: true });
  }

  /** Deletes a conversation with all that was said in it. */
  async remove(id) {
    const messages = await this.#database.where("messages", id);
    await this.#database.remove([["conversations", id], ...messages.map((message) => ["messages", message.id])]);
    this.changed();
  }

  /** Deletes all of them. */
  async clear() {
    const keys = [];
    for (const store of ["conversations", "messages"]) keys.push(...(await this.#database.all(store)).map(({ id }) => [store, id]));
    await this.#database.remove(keys);
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
    this.#channel?.postMessage("change");
  }
}

/** Without case and accents. */
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
