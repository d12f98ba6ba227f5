// Keeps the end of the conversation in view while the reader is at the end of it.

const NEAR_PX = 96;

export class Pin {
  /** Whether the reader is at the end, as of the last scrolling. */
  held = true;
  /** Whether there is anything to follow. */
  kept = () => true;
  #ended = () => {};

  /** @param {(held: boolean) => void} changed called when the reader leaves or reaches the end */
  constructor(changed) {
    this.#ended = changed;
    window.addEventListener("scroll", () => this.#note(), { passive: true });
    window.addEventListener("resize", () => this.kept() && this.follow());
  }

  /** To the end, if the reader was there. */
  follow() {
    if (this.held) this.toEnd();
  }

  /** To the end. */
  toEnd() {
    this.held = true;
    window.scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.#ended(true);
  }

  #note() {
    const { scrollHeight, clientHeight } = document.documentElement;
    const held = scrollHeight - window.scrollY - clientHeight < NEAR_PX;
    if (held !== this.held) {
      this.held = held;
      this.#ended(held);
    }
  }
}
