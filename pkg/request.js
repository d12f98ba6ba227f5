// What a caller asks for, as plain JSON for the port.

import { badRequest } from "./errors.js";

/**
 * A request without what belongs to this side: `stream`, `signal` and
 * `onProgress`. Copied as JSON would copy it, so that fields set to undefined
 * are absent.
 *
 * @throws {PageLMError} `bad_request` if it is not JSON
 */
export function plainRequest(request) {
  const { stream, signal, onProgress, ...rest } = object("request", request);
  return plain(rest);
}

/** `value` as JSON would copy it. */
export function plain(value) {
  const check = (key, part) => {
    if (typeof part === "number" && !Number.isFinite(part)) throw badRequest(`\`${key}\` is ${part}, which is not a number to work with`);
    return part;
  };
  try {
    return JSON.parse(JSON.stringify(value, check));
  } catch (error) {
    if (error.code === "bad_request") throw error;
    throw badRequest(`it cannot be written as JSON (${error.message})`);
  }
}

/** `value`, which must be an object. */
export function object(name, value) {
  if (typeof value !== "object" || value === null) throw badRequest(`\`${name}\` must be an object`);
  return value;
}

/** `signal`, which must be an AbortSignal or absent. */
export function abortSignal(signal) {
  if (signal != null && typeof signal.addEventListener !== "function") throw badRequest("`signal` must be an AbortSignal");
  return signal ?? undefined;
}

/** `values`, which must be iterable and no text, as an array. */
export function list(name, values) {
  if (typeof values === "string" || typeof values?.[Symbol.iterator] !== "function") throw badRequest(`\`${name}\` must be an array`);
  return plain([...values]);
}
