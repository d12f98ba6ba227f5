// One question and its answer, as they are shown.

import { build } from "./dom.js";
import { markdown } from "./markdown.js";

export class Turn {
  #words;
  #changed;
  #say;
  #uncover;
  #answer;
  #text = null;
  #frame = 0;

  /**
   * @param {string} question
   * @param {object} words
   * @param {() => void} changed       hears that it has grown
   * @param {(text: string) => void} say tells it to who does not see it
   * @param {() => boolean} uncover     shows the page where the chat covers it; whether it had to
   */
  constructor(question, words, changed, say, uncover) {
    this.#words = words;
    this.#changed = changed;
    this.#say = say;
    this.#uncover = uncover;
    this.#answer = build("div", { class: "message assistant", part: "message assistant", "aria-busy": "true" }, speaker(words.assistant));
    this.#wait(words.thinking);
    const asked = build("div", { class: "message user", part: "message user" }, speaker(words.you), build("p", {}, question));
    this.element = build("div", { class: "turn" }, asked, this.#answer);
  }

  /** How much of the prompt has been read, 0 to 1. */
  reading(share) {
    if (this.#text === null) this.#wait(share < 1 ? `${this.#words.reading} ${Math.round(share * 100)} %` : this.#words.thinking);
  }

  /** Shows the answer so far; once a frame, however fast it comes. */
  say(text) {
    if (text === "") return;
    this.#text = text;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** The whole answer, with links to where it is from. */
  end(text, { sources, finish_reason }) {
    this.#text = text;
    this.#draw();
    const { stopped, cut, empty } = this.#words;
    const note = { abort: stopped, length: cut }[finish_reason] ?? (text.trim() === "" ? empty : null);
    if (note) this.#answer.append(build("p", { class: "fine" }, note));
    if (sources.length > 0) this.#answer.append(this.#links(sources));
    this.#done();
    this.#say([text, note].filter(Boolean).join("\n"));
  }

  fail(message) {
    if (this.#text === null) this.#clear();
    this.#answer.append(build("p", { class: "fine", part: "error" }, message));
    this.#done();
    this.#say(message);
  }

  #wait(what) {
    const dots = build("span", { class: "dots", "aria-hidden": "true" }, build("i"), build("i"), build("i"));
    if (!this.#answer.querySelector(".wait")) this.#answer.append(build("p", { class: "wait fine" }, dots, build("span", {})));
    this.#answer.querySelector(".wait span:last-child").textContent = what;
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#clear();
    this.#answer.append(markdown(this.#text));
    this.#changed();
  }

  #clear() {
    this.#answer.replaceChildren(this.#answer.firstElementChild);
  }

  #done() {
    cancelAnimationFrame(this.#frame);
    this.#answer.removeAttribute("aria-busy");
    this.#changed();
  }

  #links(sources) {
    const list = build("ul", {});
    for (const { title, element, href } of sources) {
      const link = build("a", { href: href ?? "#", part: "source" }, title);
      link.addEventListener("click", (event) => {
        if (!element.isConnected) return; // the page has changed: the anchor must do
        event.preventDefault();
        if (href) history.replaceState(history.state, "", href);
        show(element, this.#uncover());
      });
      list.append(build("li", {}, link));
    }
    return build("nav", { class: "sources", part: "sources", "aria-label": this.#words.sources }, build("span", { class: "fine" }, this.#words.sources), list);
  }
}

/** Scrolls to an element of the page and lights it up for a moment. With `enter`, the focus goes there. */
function show(element, enter) {
  if (enter) {
    if (!element.hasAttribute("tabindex")) element.tabIndex = -1;
    element.focus({ preventScroll: true });
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
  element.animate([{ backgroundColor: "rgb(255 214 90 / 55%)" }, { backgroundColor: "transparent" }], { duration: 2400, easing: "ease-in" });
}

/** Who speaks, for who does not see it. */
function speaker(name) {
  return build("span", { class: "unseen" }, `${name}: `);
}
