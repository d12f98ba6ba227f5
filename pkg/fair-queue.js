// Whose turn it is on an engine that several clients share.

/** Runs jobs one after the other, the clients taking turns. */
export class FairQueue {
  /** client → its jobs that wait; in the order in which the clients' turns come. */
  #waiting = new Map();
  #running = false;

  /** Runs `job`, a function that returns a promise, when it is its client's turn. */
  push(client, job) {
    const jobs = this.#waiting.get(client);
    if (jobs) jobs.push(job);
    else this.#waiting.set(client, [job]);
    if (!this.#running) this.#next();
  }

  async #next() {
    const [turn] = this.#waiting;
    if (!turn) return;
    const [client, jobs] = turn;
    const job = jobs.shift();
    this.#waiting.delete(client);
    // Behind all others.
    if (jobs.length > 0) this.#waiting.set(client, jobs);
    this.#running = true;
    await job();
    this.#running = false;
    this.#next();
  }
}
