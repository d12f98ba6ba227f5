// The HTTP server of the browser tests and the benches: static files under any
// path prefix, with or without the isolation headers, Range requests (RFC 9110,
// section 14), routes that misbehave on demand, and a count of the requests.

import { createServer } from "node:http";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".gguf": "application/octet-stream",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const CORS = { "Access-Control-Allow-Origin": "*" };

/**
 * Starts a server on a free port of the loopback interface.
 *
 * @param {object} options
 * @param {string} options.root       folder that is served; symbolic links are followed
 * @param {string} [options.prefix]   path under which it is served, such as "/docs/chat/"
 * @param {boolean} [options.cors]    let pages of every origin read what is served
 * @param {boolean} [options.isolated] send COOP, COEP and CORP, so that threads are possible
 * @returns {Promise<TestServer>}
 */
export async function serve({ root, prefix = "/", isolated = false, cors = false }) {
  const server = new TestServer(path.resolve(root), prefix, { ...(isolated ? ISOLATION : {}), ...(cors ? CORS : {}) });
  await server.start();
  return server;
}

class TestServer {
  #root;
  #prefix;
  #headers;
  #http;
  #port = 0;
  #sockets = new Set();
  #handlers = new Map();
  #requests = [];

  constructor(root, prefix, headers) {
    this.#root = root;
    this.#prefix = prefix;
    this.#headers = headers;
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The absolute address of a path below the prefix. */
  url(file = "") {
    return this.origin + this.#prefix + file.replace(/^\//, "");
  }

  /** Answers `file` by `handler(request, response)` in place of the folder. */
  route(file, handler) {
    this.#handlers.set(this.#pathOf(file), handler);
    return this.url(file);
  }

  /** Takes a route back: the folder answers again. */
  unroute(file) {
    this.#handlers.delete(this.#pathOf(file));
  }

  /** Answers 404 for a file that is there, as if it had been deleted. */
  remove(file) {
    this.route(file, (_request, response) => sendText(response, 404, "not found\n"));
  }

  /** Requests for `file` so far; without an argument, for everything. */
  count(file) {
    return this.requests(file).length;
  }

  /** The requests so far as `{ method, path, range, status }`. */
  requests(file) {
    if (file === undefined) return [...this.#requests];
    const wanted = this.#pathOf(file);
    return this.#requests.filter((request) => request.path === wanted);
  }

  /** Listens, on the same port as before when it was stopped. */
  async start() {
    this.#http = createServer((request, response) => this.#answer(request, response));
    this.#http.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = this.#http.address().port;
  }

  /** Cuts every connection and refuses new ones: the network is gone. */
  async stop() {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #pathOf(file) {
    return this.#prefix + file.replace(/^\//, "");
  }

  async #answer(request, response) {
    const pathname = decoded(new URL(request.url, this.origin).pathname);
    const entry = { method: request.method, path: pathname, range: request.headers.range, status: 0 };
    this.#requests.push(entry);
    response.on("close", () => (entry.status = response.statusCode));
    setHeaders(response, this.#headers);
    try {
      const handler = this.#handlers.get(pathname);
      if (handler) await handler(request, response);
      else await this.#file(pathname, request, response);
    } catch (error) {
      // A failed handler must fail the test that waits for its answer, with its reason.
      if (!response.headersSent) sendText(response, 500, `${error.stack}\n`);
      else response.destroy(error);
    }
  }

  async #file(pathname, request, response) {
    if (!pathname.startsWith(this.#prefix)) return sendText(response, 404, "outside the prefix\n");
    const file = path.join(this.#root, pathname.slice(this.#prefix.length));
    if (file !== this.#root && !file.startsWith(this.#root + path.sep)) {
      return sendText(response, 403, "outside the folder\n");
    }
    await sendFile(request, response, pathname.endsWith("/") ? path.join(file, "index.html") : file);
  }
}

/** Sends a file, or the part of it that the request's Range header asks for. */
export async function sendFile(request, response, file) {
  const info = await stat(file).catch(() => null);
  if (!info?.isFile()) return sendText(response, 404, "not found\n");
  const etag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
  setHeaders(response, {
    "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream",
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-cache",
    "Last-Modified": info.mtime.toUTCString(),
    ETag: etag,
  });
  if (request.headers["if-none-match"] === etag) {
    response.writeHead(304).end();
    return;
  }
  const ifRange = request.headers["if-range"];
  const stillSame = ifRange === undefined || ifRange === etag || ifRange === info.mtime.toUTCString();
  const range = stillSame ? parseRange(request.headers.range, info.size) : null;
  if (range === "unsatisfiable") {
    response.writeHead(416, { "Content-Range": `bytes */${info.size}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  const headers = { "Content-Length": end - start + 1 };
  if (range) headers["Content-Range"] = `bytes ${start}-${end}/${info.size}`;
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === "HEAD" || info.size === 0) {
    response.end();
    return;
  }
  const stream = createReadStream(file, { start, end });
  response.on("close", () => stream.destroy());
  stream.on("error", (error) => response.destroy(error));
  stream.pipe(response);
}

/**
 * One range of a Range header: inclusive byte positions, "unsatisfiable", or
 * null where the whole file is the answer (no header, another unit, several ranges).
 */
export function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    if (suffix === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - suffix), end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size) return "unsatisfiable";
  return end < start ? null : { start, end };
}

export function sendText(response, status, text, type = "text/plain; charset=utf-8") {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

/** Without %-escapes, where they are whole; else no file has such a name. */
function decoded(pathname) {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

function setHeaders(response, headers) {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
