// The one error type of the API.

/** Anything that went wrong, as a stable `code`, a sentence for people, and data. */
export class PageLMError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {object} [data]
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, data = {}, options) {
    super(message, options);
    // By this name programs tell an abort from a failure, whatever was aborted.
    this.name = code === "aborted" ? "AbortError" : "PageLMError";
    this.code = code;
    this.data = data;
  }
}

/** The request contradicts the API. `what` is a clause. */
export function badRequest(what) {
  return new PageLMError("bad_request", `The request is not valid: ${what}.`, { what });
}

/** The caller's signal was aborted. */
export function aborted(signal) {
  return new PageLMError("aborted", "The request was aborted.", {}, { cause: signal?.reason });
}

/** The model is gone, as its owner wished. */
export function unloaded() {
  return new PageLMError("unloaded", "The model has been unloaded. Load it again to go on.");
}

/** A defect of our own. */
export function internal(what) {
  return new PageLMError("internal", `pagelm failed inside: ${what}. Please report this with the model's name.`, { what });
}

/** Our own files could not be had. `what` is a clause. */
export function engineNotLoaded(what) {
  const advice = "Try again; if it stays, check the network, and that all files of pagelm lie together on this site";
  return new PageLMError("engine_not_loaded", `The engine's own files could not be loaded (${what}). ${advice}.`, { what });
}

/** The browser lacks something that cannot be done without. `what` is a clause, `advice` as well. */
export function unsupportedBrowser(what, advice) {
  return new PageLMError("unsupported_browser", `This page cannot run the model: ${what}. ${advice}.`, { what });
}
