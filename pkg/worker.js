// The worker's entry: makes the engine on the first message, which is to load a
// model, and hands it every message. As a helper thread, this same file runs
// `runHelper`.

import { PageLMError } from "./errors.js";
import { ANSWER, HELPER } from "./protocol.js";
import { enterTeam, makeHelpers, runHelper, sharedMemory } from "./threads.js";
import { GLUE, chooseVariant, compile } from "./variants.js";

if (self.name === HELPER.NAME) runHelper(self);
else runEngine();

function runEngine() {
  // An exception that gets here is a trap, or a defect: the engine's state is not to be trusted.
  self.addEventListener("error", ({ message }) => crashed(message));
  self.addEventListener("unhandledrejection", ({ reason }) => crashed(String(reason)));

  let waiting = null;
  let engine = null;
  self.addEventListener("message", async ({ data }) => {
    if (engine) return engine.receive(data);
    if (waiting) return waiting.push(data);
    waiting = [data];
    try {
      const made = await makeEngine(data.options ?? {});
      engine = made;
    } catch (error) {
      postMessage({ id: data.id, type: ANSWER.ERROR, ...describe(error) });
      return;
    }
    for (const message of waiting) engine.receive(message);
  });
}

/** An instance of the best binary, with its helpers. */
async function makeEngine({ variant: asked, threads = 1 }) {
  let variant = chooseVariant(asked, threads);
  let memory;
  if (variant === "threads") {
    memory = sharedMemory();
    if (!memory && asked === undefined) variant = chooseVariant(undefined, 1);
    else if (!memory) throw new PageLMError("out_of_memory", "This device has no room for memory that threads share. Load with `threads: 1`.");
  }
  const [glue, module] = await Promise.all([GLUE[variant](), compile(variant)]);
  await glue.default({ module_or_path: module, memory });
  const helpers = memory && threads > 1 ? await makeHelpers(threads - 1, module, memory) : [];
  glue.start(helpers.length + 1, () => enterTeam(helpers));
  return glue;
}

function describe(error) {
  if (error instanceof PageLMError) return { code: error.code, message: error.message, data: error.data };
  const what = error?.message ?? String(error);
  return {
    code: "engine_not_loaded",
    message: `The engine's own files could not be loaded (${what}). Check the network, and that all files of pagelm lie on the server.`,
    data: { what },
  };
}

function crashed(what) {
  postMessage({ type: ANSWER.CRASHED, what });
}
