// The rate of a transfer over its last seconds, and the time left.

const WINDOW_MS = 4000;
// A rate over less than this says nothing yet.
const SETTLE_MS = 500;

export class Meter {
  #samples = [];

  /** Notes that `loaded` bytes have come by now. */
  sample(loaded, now = performance.now()) {
    this.#samples.push({ loaded, now });
    while (this.#samples.length > 2 && now - this.#samples[1].now > WINDOW_MS) this.#samples.shift();
  }

  /** Bytes a second over the window, or undefined while it is too short. */
  get rate() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const elapsed = last ? last.now - first.now : 0;
    return elapsed < SETTLE_MS ? undefined : ((last.loaded - first.loaded) * 1000) / elapsed;
  }

  /** Seconds until `total` bytes have come, or undefined where that is unknown. */
  secondsLeft(total) {
    const rate = this.rate;
    return rate > 0 && total > 0 ? Math.max(0, total - this.#samples.at(-1).loaded) / rate : undefined;
  }
}
