// Routes that misbehave the way real servers and networks do. Each returns a
// handler for `server.route`.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseRange, sendFile, sendText } from "./server.mjs";

const BINARY = { "Content-Type": "application/octet-stream" };

/** Sends these bytes, whole and well. */
export function bytes(body) {
  return (request, response) => {
    response.writeHead(200, { ...BINARY, "Content-Length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  };
}

/** Answers with an error status and a short text. */
export function status(code) {
  return (_request, response) => sendText(response, code, `status ${code}\n`);
}

/** Answers 200 with a web page, as hosts do for a mistaken address. */
export function htmlPage() {
  const page = "<!doctype html>\n<title>Sign in</title>\n<p>Sign in to see this file.\n";
  return (_request, response) => sendText(response, 200, page, "text/html; charset=utf-8");
}

/** Sends a file as a good server does. */
export function wholeFile(file) {
  return (request, response) => sendFile(request, response, file);
}

/** Sends a module with this code before its own: a browser that is not as others. */
export function altered(file, code) {
  return async (_request, response) => sendText(response, 200, `${code}\n${await readFile(file, "utf8")}`, "text/javascript; charset=utf-8");
}

/** Promises the whole file, and breaks the connection after `fraction` of it. */
export function cutFile(file, fraction) {
  return async (_request, response) => {
    const { size } = await stat(file);
    const limit = Math.floor(size * fraction);
    response.writeHead(200, { ...BINARY, "Content-Length": size });
    for await (const chunk of createReadStream(file, { end: limit - 1 })) {
      if (!response.write(chunk)) await drained(response);
      if (response.destroyed) return;
    }
    // Let what was written leave the socket, so that the cut is where it is said to be.
    while (response.writableLength > 0 && !response.destroyed) await sleep(5);
    response.destroy();
  };
}

/** Promises all of `body`, and breaks the connection after `limit` bytes. */
export function cutBytes(body, limit) {
  return async (_request, response) => {
    response.writeHead(200, { ...BINARY, "Content-Length": body.length });
    response.write(body.subarray(0, limit));
    while (response.writableLength > 0 && !response.destroyed) await sleep(5);
    response.destroy();
  };
}

/** Sends `head` of what is promised to be `length` bytes, and nothing more. */
export function headOnly(head, length) {
  return (_request, response) => {
    response.writeHead(200, { ...BINARY, "Content-Length": length });
    // A whole answer must end: the browser sends its next request over the same connection.
    if (head.length === length) response.end(head);
    else response.write(head);
  };
}

/** Sends pieces as a generator makes them, `length` bytes in all. */
export function generated(length, pieces) {
  return async (_request, response) => {
    response.writeHead(200, { ...BINARY, "Content-Length": length });
    for (const piece of pieces()) {
      if (!response.write(piece)) await drained(response);
      if (response.destroyed) return;
    }
    response.end();
  };
}

/** Sends the body without a Content-Length (chunked). */
export function chunked(body) {
  return (_request, response) => {
    response.writeHead(200, BINARY);
    response.write(body.subarray(0, body.length >> 1));
    response.end(body.subarray(body.length >> 1));
  };
}

/** Sends a file in pieces of `piece` bytes with a pause of `ms` before each. */
export function trickleFile(file, { piece, ms }) {
  return async (request, response) => {
    const { size } = await stat(file);
    response.writeHead(200, { ...BINARY, "Content-Length": size });
    if (request.method === "HEAD") return response.end();
    for await (const chunk of createReadStream(file, { highWaterMark: piece })) {
      await sleep(ms);
      if (response.destroyed) return;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  };
}

/** Until a response takes more, or nobody wants it. */
export function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

/**
 * A file on a server that keeps the rules of ranges and validators (RFC 9110) and
 * breaks them on demand. Each request asks `plan` what is to go wrong with it:
 * null, or an object with any of
 * - `cut`: breaks the connection after so many bytes; `stall`: says nothing more after them;
 * - `short`: ends the body after so many bytes, as if that were all (HTTP/1.0 servers do);
 * - `status`, `retryAfter`: answers with an error;
 * - `from`: sends the part that begins there; `whole`: 200 and all of it in place of a part;
 * - `flip`: one bit of this byte of the file is wrong;
 * - `change`: the file is another one from now on;
 * - `piece`, `ms`: sends slowly.
 */
export class FaultyFile {
  /** Bytes written to sockets. */
  sent = 0;
  /** Requests as `{ from, range, ifRange }`. */
  requests = [];

  /**
   * @param {Buffer} body
   * @param {object} [options]
   * @param {(n: number, from: number, to: number) => object | null} [options.plan] hears the request's number, and which bytes it asks for
   * @param {string | null} [options.etag]
   * @param {boolean} [options.ranges]
   * @param {boolean} [options.length] whether the length is told
   */
  constructor(body, { plan = () => null, etag = '"1"', ranges = true, length = true } = {}) {
    Object.assign(this, { body, plan, etag, ranges, length });
  }

  /** The handler for `server.route`. */
  get handler() {
    return (request, response) => this.#answer(request, response);
  }

  async #answer(request, response) {
    const asked = parseRange(request.headers.range, this.body.length);
    const fault = this.plan(this.requests.length, asked?.start ?? 0, asked?.end ?? this.body.length - 1) ?? {};
    if (fault.change) {
      this.body = fault.change;
      if (this.etag) this.etag = `"${this.requests.length + 2}"`;
    }
    this.requests.push({ from: asked?.start ?? 0, range: request.headers.range, ifRange: request.headers["if-range"] });
    if (fault.status) {
      if (fault.retryAfter !== undefined) response.setHeader("Retry-After", fault.retryAfter);
      return status(fault.status)(request, response);
    }
    const ifRange = request.headers["if-range"];
    const ranged = this.ranges && !fault.whole && asked !== null && (ifRange === undefined || ifRange === this.etag);
    if (this.etag) response.setHeader("ETag", this.etag);
    if (ranged && asked === "unsatisfiable") {
      response.writeHead(416, { "Content-Range": `bytes */${this.body.length}` }).end();
      return;
    }
    const start = ranged ? (fault.from ?? asked.start) : 0;
    const end = ranged ? Math.max(asked.end, start) + 1 : this.body.length;
    const headers = { ...BINARY };
    if (this.length) headers["Content-Length"] = end - start;
    if (ranged) headers["Content-Range"] = `bytes ${start}-${end - 1}/${this.body.length}`;
    if (fault.short !== undefined) response.useChunkedEncodingByDefault = false;
    response.writeHead(ranged ? 206 : 200, headers);
    let part = this.body.subarray(start, end);
    if (fault.flip >= start && fault.flip < end) {
      part = Buffer.from(part);
      part[fault.flip - start] ^= 4;
    }
    const limit = Math.min(fault.cut ?? fault.stall ?? fault.short ?? part.length, part.length);
    const piece = fault.piece ?? 1 << 20;
    for (let at = 0; at < limit && !response.destroyed; at += piece) {
      const chunk = part.subarray(at, Math.min(at + piece, limit));
      if (fault.ms) await sleep(fault.ms);
      this.sent += chunk.length;
      if (!response.write(chunk)) await drained(response);
    }
    // What has been sent whole must end: the browser sends its next request over this connection.
    if (fault.stall < part.length) return;
    if (fault.cut === undefined && fault.short === undefined) return response.end();
    while (response.writableLength > 0 && !response.destroyed) await sleep(1);
    if (fault.cut !== undefined) response.destroy();
    else response.socket?.end();
  }
}

/** Random numbers that are the same for the same seed (mulberry32), in 0..1. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
