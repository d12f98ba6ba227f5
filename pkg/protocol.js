// Names of the messages between the page and the worker. The other side, with
// every field, is src/worker/protocol.rs.
//
// The page sends { id, type, … }; every answer carries the same id. A request
// ends in exactly one of DONE, ERROR and ABORTED; before that come any number
// of PROGRESS and DELTAS. ABORT { target } and READ { target, count } have no
// answers of their own.

/** What the page may ask. */
export const REQUEST = Object.freeze({
  LOAD: "load",
  PREFLIGHT: "preflight",
  COMPLETE: "complete",
  TOKENIZE: "tokenize",
  DETOKENIZE: "detokenize",
  COUNT: "count",
  RENDER: "render",
  SCORE: "score",
  RANK: "rank",
  /** What is in the cache; each layer comes as a PART. */
  SAVE: "save",
  /** { …, bytes }: the layers, as a Blob. */
  RESTORE: "restore",
  PROFILE: "profile",
  /** That so many deltas have been read of a completion with a `window`. */
  READ: "read",
  ABORT: "abort",
  /** Has no id: whether the worker lives. The answer is ALIVE, with another lock. */
  PING: "ping",
});

/** What the worker answers. */
export const ANSWER = Object.freeze({
  PROGRESS: "progress",
  /** { deltas }: tokens that came, in their order. */
  DELTAS: "deltas",
  /** { index, bytes } of SAVE. */
  PART: "part",
  DONE: "done",
  ERROR: "error",
  ABORTED: "aborted",
  /** Have no id: more of the worker's own files is here; no more comes. */
  ARRIVING: "arriving",
  ARRIVED: "arrived",
  /** Has no id: { lock } is the name of a lock that the worker holds as long as it lives. */
  ALIVE: "alive",
  /** Has no id: the engine has failed, { what }, and answers nothing more. */
  CRASHED: "crashed",
});

/** Between the worker and its helper threads. */
export const HELPER = Object.freeze({
  /** To it: { module, memory }. */
  PREPARE: "prepare",
  /** From it: it has instantiated them, or could not, { what }. */
  READY: "ready",
  FAILED: "failed",
  /** To it: { tid }, and from it, as it is about to. */
  ENTER: "enter",
  ENTERING: "entering",
});
