// Routes that misbehave the way real servers and networks do. Each returns a
// handler for `server.route`.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { sendFile, sendText } from "./server.mjs";

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
    response.write(head);
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

function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}
