// Markdown that arrives in pieces. The text is cut into blocks by marked's
// lexer; blocks that can no longer change stay as they are, so that the cost
// of a frame depends on the last blocks alone and not on the whole answer.

import { Block, lex, visible } from "./blocks.js";

// A list item may still join the list before the last block (`2` becomes `2.`),
// so the last two blocks stay open.
const OPEN_BLOCKS = 2;
// Drawing takes at most this share of the time, however slow the device.
const DRAW_SHARE = 0.25;

/** One answer: text in by `append`, blocks out into `container`. */
export class MarkdownStream {
  /** All the text so far. */
  text = "";
  #container;
  #open = []; // the blocks that may still change
  #settled = 0; // characters of `text` in the blocks before those
  #frame = 0;
  #rest = 0; // no frame is drawn before this time

  /** @param {HTMLElement} container */
  constructor(container) {
    this.#container = container;
  }

  /** Adds text; it is drawn with one of the next frames, and `drawn` called after that. */
  append(text, drawn = () => {}) {
    // marked counts lines ended by \n alone.
    this.text += text.replaceAll("\r", "");
    this.#frame ||= requestAnimationFrame((now) => this.#tick(now, drawn));
  }

  /** Draws what has come, now. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const tokens = lex(this.text.slice(this.#settled));
    this.#draw(tokens.filter(visible));
    this.#settle(tokens);
  }

  /** All has come. */
  end() {
    this.flush();
    for (const block of this.#open) block.settle();
  }

  #tick(now, drawn) {
    if (now < this.#rest) {
      this.#frame = requestAnimationFrame((later) => this.#tick(later, drawn));
      return;
    }
    const begun = performance.now();
    this.flush();
    drawn();
    const end = performance.now();
    this.#rest = end + (end - begun) * (1 / DRAW_SHARE - 1);
  }

  #draw(tokens) {
    tokens.forEach((token, i) => {
      const old = this.#open[i];
      if (old?.update(token)) return;
      const block = new Block(token);
      if (old) old.element.replaceWith(block.element);
      else this.#container.append(block.element);
      this.#open[i] = block;
    });
    for (const { element } of this.#open.splice(tokens.length)) element.remove();
  }

  // Takes the blocks before the last two off the text that is read again.
  #settle(tokens) {
    let from = 0;
    while (this.#open.length > OPEN_BLOCKS) {
      while (!visible(tokens[from])) this.#settled += tokens[from++].raw.length;
      this.#settled += tokens[from++].raw.length;
      this.#open.shift().settle();
    }
  }
}
