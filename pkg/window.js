// How far the worker may be ahead of who reads a stream.

import { REQUEST } from "./protocol.js";

/** Deltas that may lie unread: more than come while a message and its receipt wait, some 65 ms. */
export const WINDOW = 128;
/** So many are told of at once. */
const TOGETHER = 16;

/** Tells the worker what of a request's deltas has been read; `start` is the request's `onStart`. */
export function readReceipts() {
  let tell = () => {};
  let count = 0;
  return {
    start: (send) => (tell = send),
    read: () => {
      if (++count < TOGETHER) return;
      tell({ type: REQUEST.READ, count });
      count = 0;
    },
  };
}
