// Chunks as they come, for `for await`.

/** An async iterable over the chunks of one answer. Leaving the loop aborts the request. */
export class Stream {
  /** Aborts the request. */
  controller = new AbortController();
  #chunks = [];
  #waiting = [];
  /** Once no more chunks come: { error } or {}. */
  #end = null;
  #release = () => {};

  /** @param {AbortSignal} [signal] aborts the request as well */
  constructor(signal) {
    const { controller } = this;
    const abort = () => controller.abort(signal.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    this.#release = () => signal?.removeEventListener("abort", abort);
    // What has not been read is of no interest any more.
    controller.signal.addEventListener("abort", () => (this.#chunks.length = 0));
  }

  /** Adds a chunk; for the sender, who hears when it is read. */
  push(chunk, onRead) {
    if (this.controller.signal.aborted || this.#end) return;
    this.#chunks.push({ chunk, onRead });
    const reader = this.#waiting.shift();
    if (reader) this.#read(reader);
  }

  /** Ends the stream, with an error or well; for the sender. */
  end(error) {
    if (this.#end) return;
    this.#release();
    this.#end = error ? { error } : {};
    for (const reader of this.#waiting.splice(0)) this.#last(reader);
  }

  [Symbol.asyncIterator]() {
    return {
      next: () => this.#next(),
      return: async (value) => {
        this.end();
        this.controller.abort();
        return { value, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #next() {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.#chunks.length > 0) this.#read(reader);
      else if (this.#end) this.#last(reader);
      else this.#waiting.push(reader);
    });
  }

  #read(reader) {
    const { chunk, onRead } = this.#chunks.shift();
    onRead?.();
    reader.resolve({ value: chunk, done: false });
  }

  /** Tells a reader of the end; the error is thrown once. */
  #last(reader) {
    const { error } = this.#end;
    this.#end = {};
    if (error) reader.reject(error);
    else reader.resolve({ value: undefined, done: true });
  }
}
