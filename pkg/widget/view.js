// What one widget shows: its shadow tree, and the changes in it.

import { build } from "./dom.js";
import { bytes } from "./models.js";
import { Turn } from "./turn.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  chat: "M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 4.1c-.5.5-1.4.1-1.4-.7V16A2.5 2.5 0 0 1 4 13.5z",
  close: "M6 6l12 12M18 6L6 18",
  clear: "M4 7h16M10 4h4M6.5 7l.9 12.1a1 1 0 0 0 1 .9h7.2a1 1 0 0 0 1-.9L17.5 7",
  send: "M5 12h13M12.5 6.5l5.5 5.5-5.5 5.5",
  stop: "M7 7h10v10H7z",
};

export class View {
  #words;
  #actions;
  #parts;
  #open = null;
  #greeting = null;
  #turns = [];
  #pinned = true;

  constructor(host, words, actions, sheets) {
    this.#words = words;
    this.#actions = actions;
    const root = host.attachShadow({ mode: "open", delegatesFocus: true });
    this.#parts = parts(words, sheets);
    const { launcher, panel, styles } = this.#parts;
    // Unstyled, it would flash.
    for (const part of [launcher, panel]) part.hidden = true;
    let open = styles.length;
    const styled = () => {
      this.#styled = --open === 0;
      this.#show();
    };
    for (const style of styles) {
      style.addEventListener("load", styled, { once: true });
      style.addEventListener("error", styled, { once: true });
    }
    root.append(...styles, launcher, panel);
    this.#listen();
  }

  #styled = false;
  #inline = false;
  /** Whether the model is loaded. */
  #ready = false;

  /** Applies what the attributes say. */
  refresh({ open, inline, heading, placeholder, greeting, suggestions }) {
    const { title, input, panel, log } = this.#parts;
    title.textContent = heading ?? this.#words.title;
    panel.setAttribute("aria-label", title.textContent);
    panel.setAttribute("role", inline ? "region" : "dialog");
    input.placeholder = placeholder ?? this.#words.placeholder;
    input.setAttribute("aria-label", input.placeholder);
    this.#greeting?.remove();
    this.#greeting = null;
    if (greeting || suggestions.length > 0) {
      this.#greeting = build("div", { class: "greeting" });
      if (greeting) this.#greeting.append(build("div", { class: "message assistant", part: "message assistant greeting" }, build("p", {}, greeting)));
      const chips = suggestions.map((text) => build("button", { class: "chip", part: "suggestion", type: "button" }, text));
      for (const chip of chips) chip.addEventListener("click", () => this.#actions.ask(chip.textContent));
      if (chips.length > 0) this.#greeting.append(build("div", { class: "chips" }, ...chips));
      log.prepend(this.#greeting);
    }
    const changed = this.#open !== null && this.#open !== open && !inline;
    this.#open = open;
    this.#inline = inline;
    this.#show();
    if (changed) this.#focus(open);
  }

  /** A question, and the place for its answer. */
  turn(question) {
    const chips = this.#greeting?.querySelector(".chips");
    if (chips?.contains(this.#focused)) this.#parts.input.focus();
    chips?.remove();
    this.answering(true);
    const turn = new Turn(question, this.#words, () => this.#follow(), (text) => this.#say(text), () => this.#uncover());
    this.#turns.push(turn);
    this.#parts.clear.hidden = false;
    this.#pinned = true;
    this.#parts.log.append(turn.element);
    this.#follow();
    return turn;
  }

  clear() {
    if (this.#parts.clear === this.#focused) this.#parts.input.focus();
    for (const turn of this.#turns.splice(0)) turn.element.remove();
    this.#parts.clear.hidden = true;
  }

  /** Whether an answer is being written. */
  answering(busy) {
    const { send } = this.#parts;
    send.replaceChildren(icon(busy ? "stop" : "send"));
    send.setAttribute("aria-label", busy ? this.#words.stop : this.#words.send);
    send.dataset.busy = busy ? "yes" : "";
  }

  /** Says what will be downloaded, and asks. */
  askConsent({ name, host, size, stored }) {
    this.#ready = false;
    const words = this.#words;
    const agree = button("agree", "primary", stored ? words.start : words.agree(size), this.#actions.agree);
    const decline = button("decline", "", words.decline, this.#actions.decline);
    const what = stored ? words.stored(name) : words.download(name, size ?? words.unknownSize, host);
    this.#sheet("consent", build("p", {}, words.consent), build("p", { class: "fine" }, what), build("div", { class: "row" }, agree, decline));
    // Who is writing already goes on writing.
    if (this.#focused === this.#parts.panel) agree.focus();
  }

  /** How far the load is. */
  progress({ phase, loaded, total }) {
    const { sheet } = this.#parts;
    if (sheet.dataset.kind !== "progress") {
      const bar = build("progress", { part: "progress" });
      const cancel = button("cancel", "", this.#words.cancel, this.#actions.cancel);
      this.#sheet("progress", build("p", { class: "fine label" }), bar, build("div", { class: "row" }, cancel));
    }
    const bar = sheet.querySelector("progress");
    const what = this.#words.loading[phase] ?? this.#words.loading.download;
    sheet.querySelector(".label").textContent = loaded > 0 ? `${what}: ${this.#words.of(bytes(loaded), total && bytes(total))}` : `${what}…`;
    bar.setAttribute("aria-label", what);
    if (total) Object.assign(bar, { max: total, value: loaded });
    else bar.removeAttribute("value");
  }

  loaded() {
    this.#ready = true;
    this.dismiss();
    this.#say(this.#words.ready);
    if (this.#focused === this.#parts.panel) this.#parts.input.focus();
  }

  /** Says what went wrong, and offers to try again. */
  fail(message, again) {
    const retry = again ? [build("div", { class: "row" }, button("retry", "primary", this.#words.retry, this.#actions.agree))] : [];
    const text = build("p", { part: "error", role: "alert" }, build("strong", {}, this.#words.failed), ` ${message}`);
    this.#sheet("error", text, ...retry);
  }

  /** The chat itself; hidden until it has its style. */
  get panel() {
    return this.#parts.panel;
  }

  /** Takes the sheet away. */
  dismiss() {
    const held = this.#parts.sheet.contains(this.#focused);
    this.#parts.sheet.replaceChildren();
    this.#parts.sheet.hidden = true;
    this.#parts.sheet.dataset.kind = "";
    if (held) this.#parts.input.focus();
  }

  #sheet(kind, ...children) {
    const { sheet } = this.#parts;
    const held = sheet.contains(this.#focused);
    sheet.dataset.kind = kind;
    sheet.setAttribute("part", `sheet ${kind}`);
    sheet.replaceChildren(...children);
    sheet.hidden = false;
    if (held) (sheet.querySelector("button") ?? this.#parts.input).focus();
    this.#follow();
  }

  #show() {
    const { launcher, panel } = this.#parts;
    panel.classList.toggle("inline", this.#inline);
    panel.hidden = !this.#styled || !this.#open;
    launcher.hidden = !this.#styled || this.#inline;
    launcher.classList.toggle("behind", Boolean(this.#open));
    launcher.firstElementChild.setAttribute("aria-expanded", String(Boolean(this.#open)));
  }

  #focus(open) {
    const { launcher, panel, sheet, input } = this.#parts;
    if (!open) launcher.querySelector("button").focus();
    // The question whether to download is about to come.
    else (sheet.querySelector("button") ?? (this.#ready ? input : panel)).focus();
  }

  /** Closes the panel where it covers the page, as on phones; whether it did. */
  #uncover() {
    const covers = !this.#inline && this.#parts.panel.getBoundingClientRect().width > 0.9 * innerWidth;
    if (covers) this.#actions.close();
    return covers;
  }

  /** What has the focus in here. */
  get #focused() {
    return this.#parts.panel.getRootNode().activeElement;
  }

  #listen() {
    const { launcher, panel, form, input, send, log, close, clear } = this.#parts;
    const actions = this.#actions;
    launcher.addEventListener("click", actions.toggle);
    close.addEventListener("click", actions.close);
    clear.addEventListener("click", actions.clear);
    const submit = () => {
      if (send.dataset.busy || input.value.trim() === "") return;
      const text = input.value;
      input.value = "";
      actions.ask(text);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (send.dataset.busy) actions.stop();
      else submit();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.#inline) actions.close();
      // What is typed here is no shortcut of the page's.
      event.stopPropagation();
    });
    log.addEventListener("scroll", () => (this.#pinned = log.scrollHeight - log.scrollTop - log.clientHeight < 32), { passive: true });
  }

  /** Keeps the end in sight, unless the reader has gone up. */
  #follow() {
    const { log } = this.#parts;
    if (this.#pinned) log.scrollTop = log.scrollHeight;
  }

  #say(text) {
    this.#parts.live.textContent = text;
  }
}

function parts(words, sheets) {
  const styles = sheets.map(({ href }) => build("link", { rel: "stylesheet", href }));
  const face = [icon("chat"), build("span", {}, words.launcher)];
  const launcher = build("div", { class: "launcher" });
  launcher.append(build("button", { type: "button", part: "launcher" }, build("slot", { name: "launcher" }, ...face)));
  const title = build("h2", { part: "title" });
  const clear = button("clear", "quiet", icon("clear"));
  clear.setAttribute("aria-label", words.clear);
  clear.title = words.clear;
  clear.hidden = true; // there is nothing to clear yet
  const close = button("close", "quiet close", icon("close"));
  close.setAttribute("aria-label", words.close);
  close.title = words.close;
  const header = build("header", { part: "header" }, build("slot", { name: "header" }, title), clear, close);
  const log = build("div", { class: "log", part: "messages", tabindex: "0", role: "log", "aria-live": "off" });
  const sheet = build("div", { class: "sheet", part: "sheet" });
  sheet.hidden = true;
  const input = build("textarea", { part: "input", rows: "1", enterkeyhint: "send" });
  const send = build("button", { type: "submit", class: "send", part: "send", "aria-label": words.send }, icon("send"));
  const form = build("form", { part: "form" }, input, send);
  const live = build("p", { class: "unseen", role: "status" });
  const panel = build("section", { class: "panel", part: "panel", tabindex: "-1" }, header, log, sheet, form, live);
  return { styles, launcher, panel, title, clear, close, log, sheet, form, input, send, live };
}

function button(part, look, face, act) {
  const made = build("button", { type: "button", part, class: look }, face);
  if (act) made.addEventListener("click", () => act());
  return made;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
