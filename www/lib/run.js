// One answer being written: asked of the model, kept in the database as it comes.

import { withFiles } from "./attachments.js";
import { answer, wasStopped } from "./engine.js";
import { integer } from "./format.js";
import { sampling } from "./settings.js";

/** What is lost at most when the page is closed in the middle. */
const SAVE_MS = 400;

/**
 * Sends "text" with each piece, "words" with what goes on while there is none,
 * "figures" with the trace so far, and "end" once, with the error if there was one.
 */
export class Run extends EventTarget {
  /** While the answer has no text. */
  words = "";
  #controller = new AbortController();
  #saved = 0;
  /** Runs while there is text that is not saved: there may be no more of it for a while. */
  #timer;
  #saving = Promise.resolve();

  /**
   * @param {import("./talk.js").Talk} talk
   * @param {import("./talk.js").Message} message the answer; what it has of text is continued
   */
  constructor(talk, message) {
    super();
    this.talk = talk;
    this.message = message;
    // Without an answer to go on with, it is thought about anew.
    if (!message.text) delete message.reasoning;
  }

  stop() {
    this.#controller.abort();
  }

  /** @param {import("./host.js").Host} host */
  async go(host) {
    const { talk, message } = this;
    const { signal } = this.#controller;
    message.state = "writing";
    let error;
    try {
      this.#say(host.state === "ready" ? "Reading the question…" : "Waiting for the model…");
      const lm = await host.ready(signal);
      message.model = host.model.short;
      const request = { ...sampling(talk.settings), messages: messagesFor(talk, message, host.model) };
      const { reason, trace } = await answer(lm, request, { begun: message.text, signal }, this.#listeners());
      message.state = reason === "length" ? "length" : "done";
      message.trace = trace;
    } catch (failure) {
      message.state = wasStopped(failure, signal) ? "stopped" : "failed";
      if (message.state === "failed") error = failure;
    }
    await this.#save();
    this.dispatchEvent(new CustomEvent("end", { detail: error }));
  }

  #listeners() {
    const { message } = this;
    return {
      prefill: (done, total) => this.#say(`Reading: ${integer(done)} of ${integer(total)} tokens…`),
      text: ({ text, reasoning }) => {
        message.text += text;
        if (reasoning) message.reasoning = (message.reasoning ?? "") + reasoning;
        this.#send("text", { text, reasoning });
        // Timers of a page out of sight are late.
        if (performance.now() - this.#saved > SAVE_MS) this.#save();
        else this.#timer ??= setTimeout(() => this.#save(), SAVE_MS);
      },
      trace: (trace) => {
        message.trace = trace;
        this.#send("figures", trace);
      },
    };
  }

  #say(words) {
    this.words = words;
    this.#send("words", words);
  }

  #send(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** One after the other, so that an older text never comes last. A full store must not end the answer. */
  #save() {
    this.#saved = performance.now();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.talk.save(this.message)).catch(() => this.#send("unkept"));
    return this.#saving;
  }
}

/**
 * What the model is given before this answer, with the system prompt of the conversation, else
 * the one that suits the model. Questions that got no answer are left out.
 */
export function messagesFor(talk, message, model) {
  const system = talk.settings.system.trim() || model?.system;
  const messages = system ? [{ role: "system", content: system }] : [];
  const before = talk.pathTo(talk.parent(message));
  before.forEach((each, i) => {
    const last = i === before.length - 1;
    const reply = each.role === "user" ? before[i + 1] : each;
    if (last || reply?.text) messages.push({ role: each.role, content: each.role === "user" ? withFiles(each) : each.text });
  });
  return messages;
}
