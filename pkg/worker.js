// The worker's entry: makes the engine on the first message, which is to load a
// model, and hands it every message.

import { PageLMError, engineNotLoaded } from "./errors.js";
import { GLUE } from "./glue.js";
import { ANSWER, REQUEST } from "./protocol.js";
import { enterTeam, makeHelpers, prepareHelpers, sharedMemory } from "./threads.js";
import { chooseVariant, compile } from "./variants.js";

runEngine();

function runEngine() {
  // An exception that gets here is a trap, or a defect: the engine's state is not to be trusted.
  self.addEventListener("error", ({ message }) => crashed(message));
  self.addEventListener("unhandledrejection", ({ reason }) => crashed(String(reason)));

  arrives(false);
  holdLock();
  let waiting = null;
  let engine = null;
  self.addEventListener("message", async ({ data }) => {
    if (data.type === REQUEST.PING) return holdLock();
    if (engine) return engine.receive(data);
    if (waiting) return waiting.push(data);
    waiting = [data];
    try {
      engine = await makeEngine(data.options ?? {});
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
  // Their scripts arrive while the binary is compiled, and they start while the model is read.
  const helpers = makeHelpers(memory ? threads - 1 : 0);
  try {
    const [glue, module] = [GLUE[variant], await compile(variant, arrives)];
    await glue.default({ module_or_path: module, memory });
    const prepared = prepareHelpers(helpers, module, memory);
    glue.start(prepared.then(({ length }) => length + 1), async () => enterTeam(await prepared));
    return glue;
  } catch (error) {
    for (const { worker } of helpers) worker.terminate();
    throw error;
  }
}

/** By this the page tells a slow line from one that brings nothing any more. */
function arrives(whole) {
  postMessage({ type: whole ? ANSWER.ARRIVED : ANSWER.ARRIVING });
}

/** By this lock the page knows that we live: nobody tells it when a browser ends a worker. */
function holdLock() {
  const lock = `pagelm-${Math.random().toString(36).slice(2)}${Date.now()}`;
  const hold = () => {
    postMessage({ type: ANSWER.ALIVE, lock });
    return new Promise(() => {});
  };
  // Without locks (an insecure context, an opaque origin) the page goes by what we say.
  navigator.locks?.request(lock, hold).catch(() => {});
}

function describe(error) {
  const { code, message, data } = error instanceof PageLMError ? error : engineNotLoaded(error?.message ?? String(error));
  return { code, message, data };
}

function crashed(what) {
  postMessage({ type: ANSWER.CRASHED, what });
}
