// A helper thread: a worker that shares the engine's module and memory.

import { GLUE } from "./glue.js";
import { HELPER } from "./protocol.js";

const glue = GLUE.threads;

self.onmessage = async ({ data }) => {
  if (data.type === HELPER.PREPARE) {
    try {
      await glue.default({ module_or_path: data.module, memory: data.memory });
      self.postMessage({ type: HELPER.READY });
    } catch (error) {
      self.postMessage({ type: HELPER.FAILED, what: String(error) });
    }
    return;
  }
  self.postMessage({ type: HELPER.ENTERING });
  try {
    // Blocks until the team ends: this worker's event loop does not turn any more.
    glue.thread_main(data.tid);
  } catch (error) {
    // A trap does not unwind: the team must be told, or the others wait for ever.
    glue.thread_failed();
    console.error("pagelm: a helper thread has trapped", error);
  }
};
