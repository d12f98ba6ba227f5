// How far the worker may be ahead of who reads a stream.

import { REQUEST } from "./protocol.js";

/** Deltas that may lie unread. */
export const WINDOW = 64;
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
