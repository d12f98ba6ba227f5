// The helper threads of one engine: workers that share its module and memory.

import { HELPER } from "./protocol.js";
import { startWorker } from "./worker-start.js";

/** Kept apart from the address below, which bundlers take for a file to copy. */
const HERE = import.meta.url;
/** How long a helper may take to be ready; after that the engine starts without it. */
const READY_TIMEOUT_MS = 10_000;

/**
 * Pages of 64 KiB to begin with: any number above what the binary itself needs.
 * Those that are not touched cost nothing.
 */
const INITIAL_PAGES = 1024;
/** Most pages: 4 GiB, or what the device lets one reserve. */
const MAXIMUM_PAGES = [65536, 32768, 16384];

/** The memory that the threads share, or null if the device has no room to reserve it. */
export function sharedMemory() {
  for (const maximum of MAXIMUM_PAGES) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch {
      // Address space is scarce on phones and in 32-bit processes.
    }
  }
  return null;
}

/** A worker that instantiates the module and waits to enter the team. */
class Helper {
  #failure = null;
  #reject = null;

  constructor() {
    const make = () => new Worker(new URL("./helper.js", import.meta.url), { type: "module", name: "pagelm-helper" });
    this.worker = startWorker(make, new URL("./helper.js", HERE), "pagelm-helper");
    this.worker.onerror = (event) => {
      // Else it would count as an error of the engine's own worker.
      event.preventDefault();
      this.#failure = new Error(event.message || "the helper's script does not load");
      this.#reject?.(this.#failure);
    };
  }

  /** Sends a message and waits for an answer of this type. */
  ask(message, type) {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.worker.onmessage = ({ data }) => {
        if (data.type === type) resolve();
        else if (data.type === HELPER.FAILED) reject(new Error(data.what));
      };
      this.worker.postMessage(message);
    });
  }
}

/** Makes helpers, up to `count` if the browser refuses more. */
export function makeHelpers(count) {
  const helpers = [];
  try {
    while (helpers.length < count) helpers.push(new Helper());
  } catch (error) {
    warn(error);
  }
  return helpers;
}

/**
 * Has the helpers instantiate the module. Those that cannot are left out, with a warning: the
 * engine runs with fewer threads then.
 */
export async function prepareHelpers(helpers, module, memory) {
  const outcomes = await Promise.allSettled(helpers.map((helper) => prepare(helper, module, memory)));
  for (const { status, reason } of outcomes) {
    if (status === "rejected") warn(reason);
  }
  return outcomes.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
}

/** Sends the helpers into the team that the engine has made. */
export async function enterTeam(helpers) {
  await Promise.all(helpers.map((helper, i) => helper.ask({ type: HELPER.ENTER, tid: i + 1 }, HELPER.ENTERING)));
}

async function prepare(helper, module, memory) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it took too long")), READY_TIMEOUT_MS);
  });
  try {
    await Promise.race([helper.ask({ type: HELPER.PREPARE, module, memory }, HELPER.READY), late]);
    return helper;
  } catch (error) {
    helper.worker.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function warn({ message }) {
  console.warn(`pagelm: a helper thread did not start: ${message}`);
}
