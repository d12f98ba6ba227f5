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

/** A defect of our own. */
export function internal(what) {
  return new PageLMError("internal", `pagelm failed inside: ${what}. Please report this with the model's name.`, { what });
}

/** The browser lacks something that cannot be done without. `what` is a clause. */
export function unsupportedBrowser(what) {
  const advice = "Use a current version of Chrome, Edge, Firefox or Safari";
  return new PageLMError("unsupported_browser", `This browser cannot run the model: ${what}. ${advice}.`, { what });
}
