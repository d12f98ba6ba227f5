// <pl-thread>: the messages of a conversation. Long ones are drawn from the end
// backwards, in slices, so that the page never stands still.

import { h } from "../lib/dom.js";
import { Pin } from "../lib/pin.js";
import "./message.js";

const SLICE_MS = 8;
/** Drawn at once: about a screen. */
const AT_ONCE = 6;

class Thread extends HTMLElement {
  #talk;
  #log = h("div", { class: "log" });
  #frame = 0;
  /** Keeps the end in view while the reader is there. */
  pin = new Pin((held) => this.dispatchEvent(new CustomEvent("end-held", { detail: held })));

  connectedCallback() {
    if (!this.firstChild) this.append(this.#log);
    this.pin.kept = () => Boolean(this.#log.firstChild);
  }

  /** Shows a conversation from its end. */
  show(talk) {
    this.#talk = talk;
    this.#drop([...this.#log.children]);
    const path = talk.path;
    const first = Math.max(0, path.length - AT_ONCE);
    this.#log.append(...path.slice(first).map((message) => this.#make(message)));
    if (path.length > 0) this.pin.toEnd();
    if (first > 0) this.#drawEarlier(path.slice(0, first));
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

  get last() {
    return this.#log.lastElementChild;
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

  #earlier = [];

  #drawEarlier(messages) {
    this.#earlier = messages;
    const slice = () => {
      const end = performance.now() + SLICE_MS;
      const { scrollHeight } = document.documentElement;
      const made = [];
      while (this.#earlier.length > 0 && performance.now() < end) made.unshift(this.#make(this.#earlier.pop()));
      this.#log.prepend(...made);
      if (this.pin.held) this.pin.toEnd();
      else if (!CSS.supports("overflow-anchor", "auto")) window.scrollBy(0, document.documentElement.scrollHeight - scrollHeight);
      this.#frame = this.#earlier.length > 0 ? requestAnimationFrame(slice) : 0;
    };
    this.#frame = requestAnimationFrame(slice);
  }

  /** Draws what is left, for an act that needs all. */
  #settle() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#log.prepend(...this.#earlier.splice(0).map((message) => this.#make(message)));
  }
}

customElements.define("pl-thread", Thread);
