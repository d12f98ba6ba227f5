// <pl-thread>: the messages of a conversation. Long ones are drawn from the end
// backwards, in slices, so that the page never stands still.

import { h } from "../lib/dom.js";
import { Pin } from "../lib/pin.js";
import "./message.js";

const SLICE_MS = 5;

class Thread extends HTMLElement {
  #talk;
  #log = h("div", { class: "log" });
  #frame = 0;
  /** Messages that are not drawn yet, the oldest first. */
  #earlier = [];
  /** Keeps the end in view while the reader is there. */
  pin = new Pin((held) => this.dispatchEvent(new CustomEvent("end-held", { detail: held })));

  connectedCallback() {
    if (this.firstChild) return;
    this.append(this.#log);
    this.pin.kept = () => Boolean(this.#log.firstChild);
    // What is out of sight has a guessed height until it is seen, and colours and formulas come later.
    new ResizeObserver(() => this.pin.kept() && this.pin.follow()).observe(this.#log);
  }

  /** Shows a conversation from its end. */
  show(talk) {
    this.#talk = talk;
    this.#drop([...this.#log.children]);
    this.#earlier = talk.path;
    this.pin.held = true;
    // Until a screen is full, what is there would move.
    this.#log.style.visibility = "hidden";
    this.#slice();
  }

  /** Follows the conversation onto another branch, or to messages that were added. */
  update() {
    this.#settle();
    const path = this.#talk.path;
    const children = [...this.#log.children];
    let same = 0;
    while (same < path.length && children[same]?.message === path[same]) same += 1;
    this.#drop(children.slice(same));
    this.#log.append(...path.slice(same).map((message) => this.#make(message)));
    // What stands in the place of an older message may have new siblings.
    for (const element of [...this.#log.children].slice(0, same)) element.place = this.#talk.siblings(element.message);
  }

  /** The element of a message, or undefined. */
  element(message) {
    return [...this.#log.children].find((element) => element.message === message);
  }

  /** The newest question's element. */
  get lastQuestion() {
    return [...this.#log.children].filter(({ message }) => message.role === "user").at(-1);
  }

  #make(message) {
    const element = h("pl-message");
    element.show(message, this.#talk.siblings(message));
    return element;
  }

  #drop(elements) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#earlier = [];
    for (const element of elements) element.remove();
  }

  /** Draws some of the messages before those that are drawn, and the others in the next frames. */
  #slice() {
    const end = performance.now() + SLICE_MS;
    const anchored = this.pin.held || CSS.supports("overflow-anchor", "auto");
    const before = anchored ? 0 : document.documentElement.scrollHeight;
    const made = [];
    while (this.#earlier.length > 0 && (made.length === 0 || performance.now() < end)) made.unshift(this.#make(this.#earlier.pop()));
    this.#log.prepend(...made);
    // The end is followed when the height has changed.
    if (!anchored) window.scrollBy(0, document.documentElement.scrollHeight - before);
    const last = this.#earlier.length === 0;
    if (this.#log.style.visibility && (last || this.#log.offsetHeight > innerHeight)) this.#log.style.visibility = "";
    this.#frame = last ? 0 : requestAnimationFrame(() => this.#slice());
  }

  /** Draws what is left, for an act that needs all. */
  #settle() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#log.prepend(...this.#earlier.splice(0).map((message) => this.#make(message)));
    this.#log.style.visibility = "";
  }
}

customElements.define("pl-thread", Thread);
