// <pl-chat>: the conversation in hand: asks, streams, stops, branches. A "remedy"
// it cannot apply itself goes up to the page, as does "inspect".

import { announce } from "../lib/announce.js";
import { cutToFit, readText } from "../lib/attachments.js";
import { emit, h } from "../lib/dom.js";
import { Run, messagesFor } from "../lib/run.js";
import { EXAMPLES } from "../lib/examples.js";
import { notify } from "./notice.js";
import "./composer.js";
import "./status-line.js";
import "./thread.js";

const COUNT_DELAY_MS = 300;

class Chat extends HTMLElement {
  #host;
  #talk;
  /** The conversation that was chosen last, until it has been read and is shown. */
  #coming;
  #arrived;
  /** Resolves when there is any conversation. */
  #first = new Promise((resolve) => (this.#arrived = resolve));
  /** Answers that are being written, by conversation: they go on while another is shown. */
  #runs = new Map();
  #thread = h("pl-thread");
  #empty = h("section", { class: "empty" });
  #end = h("button", { type: "button", class: "to-end", hidden: true }, "To the end");
  #composer = h("pl-composer");
  #status = h("pl-status-line");
  #timer;

  connectedCallback() {
    if (this.firstChild) return;
    this.append(
      this.#empty,
      this.#thread,
      h("div", { class: "dock" }, h("div", { class: "dock-inner" }, this.#end, this.#composer, this.#status)),
    );
    this.#end.addEventListener("click", () => (this.#thread.pin.toEnd(), this.#composer.focus()));
    this.#thread.addEventListener("end-held", ({ detail }) => (this.#end.hidden = detail));
    this.#composer.addEventListener("ask", ({ detail }) => this.ask(detail));
    this.#composer.addEventListener("stop", () => this.stop());
    this.#composer.addEventListener("draft", () => this.#countSoon());
    this.#composer.addEventListener("files", ({ detail }) => this.attach(detail));
    this.#composer.addEventListener("edit-last", () => this.#thread.lastQuestion?.edit());
    this.#on("regenerate", (message) => this.#again(message));
    this.#on("continue", (message) => this.#run(this.#talk, message));
    this.#on("edit", (message, text) => this.#edit(message, text));
    this.#on("branch", (message, by) => this.#branch(message, by));
    this.addEventListener("remedy", (event) => this.#remedy(event));
  }

  /** @param {import("../lib/host.js").Host} host */
  start(host) {
    this.#host = host;
    host.addEventListener("state", () => this.#hostChanged());
    this.#hostChanged();
  }

  /**
   * Shows a conversation as soon as it has been read; what is asked until then is asked in it.
   *
   * @param {import("../lib/talk.js").Talk | Promise<import("../lib/talk.js").Talk>} coming
   * @returns {Promise<boolean>} false if another was chosen meanwhile
   */
  async show(coming) {
    // It was meant for the conversation that is left.
    if (this.#composer.hold()) notify("Your question is not sent: its file was still being read. It stands in the field.");
    this.#coming = coming;
    try {
      // One that need not be read is there at once.
      const talk = coming instanceof Promise ? await coming : coming;
      if (this.#coming !== coming) return false;
      this.#show(talk);
      return true;
    } finally {
      if (this.#coming === coming) this.#coming = undefined;
    }
  }

  #show(talk) {
    const running = this.#runs.get(talk.id);
    // Of two copies the one that is being written to counts; what it is called may have changed.
    if (running) Object.assign(running.talk.conversation, { title: talk.title, named: talk.conversation.named });
    this.#talk = running?.talk ?? talk;
    this.#arrived();
    this.#drawEmpty();
    this.#thread.show(this.#talk);
    if (running) this.#attach(running);
    this.#composer.busy = Boolean(running);
    this.#countSoon(0);
  }

  get talk() {
    return this.#talk;
  }

  /** Whether a conversation that was chosen is not there yet. */
  get opening() {
    return this.#coming !== undefined;
  }

  /** Resolves when what was chosen last is shown. */
  async opened() {
    await this.#first;
    while (this.#coming) await this.#coming.catch(() => {});
  }

  /** Whether an answer is being written anywhere. */
  get answering() {
    return this.#runs.size > 0;
  }

  get draft() {
    return { text: this.#composer.text, files: this.#composer.files };
  }

  set draft({ text, files }) {
    this.#composer.files = files;
    this.#composer.fill(text);
  }

  focus() {
    this.#composer.focus();
  }

  /** Puts a question and has it answered. */
  async ask({ text, files = [] }) {
    if (this.#coming || !this.#talk) await this.opened();
    const talk = this.#talk;
    if (this.#runs.has(talk.id)) return this.#putBack(text, files);
    this.#answer(talk, talk.add(talk.path.at(-1), { role: "user", text, ...(files.length > 0 && { files }) }));
  }

  /** Has the last question answered once more. */
  async regenerate() {
    if (this.#coming || !this.#talk) await this.opened();
    const last = this.#talk.path.at(-1);
    if (last) this.#again(last);
  }

  /** Stops the answer that is being written here; what has come stays. A question that waits for a file is not sent. */
  stop() {
    if (this.#composer.hold()) announce("Not sent.");
    this.#runs.get(this.#talk?.id)?.stop();
  }

  /** Stops all of them, for the model that writes them goes. */
  stopAll() {
    for (const run of this.#runs.values()) run.stop();
  }

  /** Reads text files into the question, cut to what the context has room for. */
  async attach(files) {
    this.#composer.beginReading(files.map(({ name }) => name));
    for (const file of files) {
      let failed = false;
      try {
        const text = await readText(file);
        if (this.#host.state !== "ready") throw new Error("Load the model first: it tells how much of a file it can read.");
        const used = await this.#used();
        const attachment = await cutToFit(this.#host.lm, file.name, text, used);
        if (attachment.kept === 0) throw new Error(`There is no room left for ${file.name}. Start a new chat to ask about it.`);
        this.#composer.files = [...this.#composer.files, attachment];
        announce(`${file.name} added.`);
      } catch (error) {
        failed = true;
        notify(error.message);
      }
      this.#composer.endReading(file.name, failed);
    }
    this.#composer.focus();
  }

  /** What the model reads for an answer: for a look inside. */
  promptOf(message) {
    return messagesFor(this.#talk, message, this.#host.model);
  }

  /** Another answer to the same question, that begins with this text. */
  answerFrom(message, begun) {
    const talk = this.#talk;
    if (!this.#runs.has(talk.id)) this.#answer(talk, talk.parent(message), begun);
  }

  #on(type, act) {
    this.#thread.addEventListener(type, ({ target, detail }) => act(target.message, detail));
  }

  #again(message) {
    const talk = this.#talk;
    if (this.#runs.has(talk.id)) return;
    // What says nothing is not worth a branch of its own.
    if (message.role === "assistant" && !message.text) this.#run(talk, message);
    else this.#answer(talk, message.role === "user" ? message : talk.parent(message));
  }

  async #edit(message, text) {
    const talk = this.#talk;
    await this.#halt(talk);
    const { files } = message;
    const run = this.#runs.get(talk.id);
    if (run) {
      // Another question was quicker: the very same one, where Enter was pressed twice.
      if (talk.parent(run.message)?.text !== text) this.#putBack(text, files);
      return;
    }
    this.#answer(talk, talk.add(talk.parent(message), { role: "user", text, ...(files && { files }) }));
  }

  /** What cannot be asked now is in the field again, behind what stands there: nothing that was written gets lost. */
  #putBack(text, files = []) {
    const { draft } = this;
    this.draft = { text: [draft.text, text].filter(Boolean).join("\n"), files: [...draft.files, ...files] };
  }

  #branch(message, by) {
    const talk = this.#talk;
    const place = talk.siblings(message);
    const next = place[place.indexOf(message) + by];
    if (!next) return;
    talk.follow(next).catch(unkept);
    this.#thread.update();
    const element = this.#thread.element(next);
    const label = by < 0 ? "Previous" : "Next";
    const button = element.querySelector(`.branches [aria-label^="${label}"]:enabled`) ?? element.querySelector(".branches :enabled");
    button?.focus();
    announce(`Version ${place.indexOf(next) + 1} of ${place.length}.`);
    this.#drawEmpty();
    this.#countSoon(0);
  }

  /** Stops the answer that is being written in this conversation, and waits until it is. */
  async #halt(talk) {
    const run = this.#runs.get(talk.id);
    if (!run) return;
    const ended = new Promise((resolve) => run.addEventListener("end", resolve, { once: true }));
    run.stop();
    await ended;
  }

  /** Both are there at once: the answer can be stopped, or left, before anything is stored. */
  #answer(talk, question, begun = "") {
    const answer = talk.add(question, { role: "assistant", text: begun, state: "writing", model: this.#host.model?.short });
    this.#run(talk, answer);
    // What an imported conversation begins with may be an answer, to no question.
    const made = question ? [question, answer] : [answer];
    // Without room to keep them, it goes on all the same.
    talk.keep(...made).catch(unkept);
  }

  #run(talk, message) {
    if (this.#runs.has(talk.id)) return;
    const run = new Run(talk, message);
    this.#runs.set(talk.id, run);
    if (talk === this.#talk) {
      this.#composer.busy = true;
      this.#drawEmpty();
      this.#thread.update();
      this.#thread.pin.toEnd();
      this.#composer.focus();
    }
    run.addEventListener("end", ({ detail }) => this.#ended(run, detail));
    run.addEventListener("unkept", unkept, { once: true });
    this.#attach(run);
    announce(`${this.#host.model?.short ?? "The model"} is answering.`);
    run.go(this.#host);
  }

  /** Shows what an answer brings, as long as its conversation is shown. */
  #attach(run) {
    const element = this.#thread.element(run.message);
    if (!element) return;
    const shown = (act) => (event) => element.isConnected && act(event);
    element.begin(run.words);
    run.addEventListener("words", shown(({ detail }) => (element.words = detail)));
    run.addEventListener("text", shown(({ detail }) => element.write(detail, () => this.#thread.pin.follow())));
    run.addEventListener("figures", shown(({ detail }) => this.#figures(detail)));
    run.addEventListener("end", shown(({ detail }) => {
      element.end(detail);
      announce(detail ? detail.message : element.plainText || element.innerText);
      this.#thread.pin.follow();
    }));
  }

  /** The speeds, and how full the context is by now. */
  #figures(trace) {
    if (!this.#status.figures(trace)) return;
    const prompt = trace.prefill.at(-1)?.[0] ?? 0;
    const used = trace.usage?.total_tokens ?? (prompt > 0 ? prompt + trace.decode.length : 0);
    // A shift of the context makes room: the meter stays full then.
    const { context } = this.#host.lm?.info ?? { context: 0 };
    if (used > 0) this.#status.context(Math.min(used, context), context);
  }

  #ended(run) {
    this.#runs.delete(run.talk.id);
    if (this.#talk.id === run.talk.id) {
      this.#composer.busy = false;
      this.#countSoon(0);
    }
    emit(this, "answered", run.message);
  }

  async #remedy(event) {
    const message = event.target.closest("pl-message")?.message;
    if (event.detail === "retry" && message) {
      event.stopPropagation();
      await this.#again(message);
    }
  }

  #hostChanged() {
    const { state, model, lm } = this.#host;
    this.#composer.name = model?.short ?? "the model";
    this.#status.info = state === "ready" ? lm.info : undefined;
    this.dataset.host = state;
    this.#drawEmpty();
    this.#countSoon(0);
  }

  #drawEmpty() {
    const empty = !this.#talk || (this.#talk.empty && !this.#runs.has(this.#talk.id));
    this.#empty.hidden = !empty || this.#host?.state !== "ready";
    this.classList.toggle("is-empty", empty);
    if (this.#empty.hidden) return;
    const examples = EXAMPLES.map((text) => h("li", {}, h("button", { type: "button", class: "example", onclick: () => this.ask({ text }) }, text)));
    this.#empty.replaceChildren(
      h("h2", { class: "hero" }, `Ask ${this.#host.model.short}.`),
      h("p", { class: "lead" }, "It answers on this device. It is a small model: check what matters."),
      h("ul", { class: "examples", "aria-label": "Examples" }, ...examples),
    );
  }

  #countSoon(delay = COUNT_DELAY_MS) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#count(), delay);
  }

  /** Counting waits its turn behind an answer, so only in pauses. */
  async #count() {
    if (this.#host?.state !== "ready" || !this.#talk) return this.#status.context(0, 0);
    if (this.#runs.size > 0) return;
    const used = await this.#used().catch(() => 0);
    if (this.#host.lm) this.#status.context(used, this.#host.lm.info.context);
  }

  /** Tokens of the conversation, with what is about to be asked. */
  async #used() {
    const { text, files } = this.draft;
    const last = this.#talk.path.at(-1);
    const draft = text.trim() || files.length > 0;
    const next = draft ? { id: "", parent: last?.id ?? null, role: "user", text, files } : undefined;
    const messages = messagesFor(this.#talk, last ?? { parent: null }, this.#host.model);
    if (last) messages.push({ role: last.role, content: last.text });
    if (next) messages.push({ role: "user", content: [...files.map((file) => file.text), text].join("\n") });
    if (messages.length === 0) return 0;
    return this.#host.lm.countTokens(messages, { add_generation_prompt: false });
  }
}

customElements.define("pl-chat", Chat);

function unkept() {
  notify("This browser has no room to keep the conversation. Export it, or delete others.");
}
