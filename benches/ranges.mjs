// Whether several ranges at once fetch a model sooner than one stream, over a network with
// 50 ms of latency whose rate is limited: for each connection, or for all together.
//
// `node benches/ranges.mjs [MB] [ROUNDS]` prints a table in Markdown: seconds, the median of the
// rounds (smallest to largest). What comes is read in the page and thrown away.

import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "../tests/browser/chromium.mjs";
import { drained } from "../tests/browser/routes.mjs";
import { parseRange } from "../tests/browser/server.mjs";

const RANGE = 8 << 20;
const LATENCY_MS = 50;
/** Bytes a millisecond: 100 Mbit/s. */
const RATE = 12_500;
const PIECE = Buffer.alloc(64 << 10, 7);
const NETWORKS = { "12.5 MB/s altogether": "/all", "12.5 MB/s a connection": "/each" };
const AT_ONCE = [1, 2, 4];

const length = Math.round(Number(process.argv[2] ?? 98.4) * 1e6);
const rounds = Number(process.argv[3] ?? 3);
/** When the way that all share is free again. */
let through = 0;

const server = createServer(async (request, response) => {
  if (request.url === "/") return response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
  if (!Object.values(NETWORKS).includes(request.url)) return response.writeHead(404).end();
  const range = parseRange(request.headers.range, length);
  const { start, end } = range ?? { start: 0, end: length - 1 };
  await sleep(LATENCY_MS);
  response.writeHead(range ? 206 : 200, { "Content-Length": end - start + 1, "Cache-Control": "no-store" });
  let own = 0;
  for (let rest = end - start + 1; rest > 0 && !response.destroyed; rest -= PIECE.length) {
    const piece = PIECE.subarray(0, Math.min(rest, PIECE.length));
    const now = performance.now();
    // Timers are late: what they have missed is made up for, for 20 ms.
    const free = Math.max(request.url === "/each" ? own : through, now - 20) + piece.length / RATE;
    if (request.url === "/each") own = free;
    else through = free;
    const wait = free - now;
    if (wait > 1) await sleep(wait);
    if (!response.write(piece)) await drained(response);
  }
  response.end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await launch();
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);

const times = {};
for (let round = 0; round < rounds; round++) {
  for (const [network, path] of Object.entries(NETWORKS)) {
    for (const atOnce of AT_ONCE) {
      const ms = await page.evaluate(inPage, { path, atOnce, length, range: RANGE });
      ((times[network] ??= {})[atOnce] ??= []).push(ms / 1e3);
    }
  }
}
console.log(`| network | one stream | ${AT_ONCE.slice(1).map((n) => `${n} ranges at once`).join(" | ")} |\n|${"---|".repeat(AT_ONCE.length + 1)}`);
for (const [network, by] of Object.entries(times)) console.log(`| ${network} | ${AT_ONCE.map((n) => spread(by[n])).join(" | ")} |`);
await browser.close();
server.close();

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((value) => value.toFixed(2));
  return `${middle} (${least} to ${most})`;
}

/** Milliseconds that the file takes: as one stream, or in ranges of which so many are on their way. */
async function inPage({ path, atOnce, length, range }) {
  const read = async (headers) => {
    const { body } = await fetch(path, { headers, cache: "no-store" });
    let bytes = 0;
    for (const reader = body.getReader(); ;) {
      const { value } = await reader.read();
      if (!value) return bytes;
      bytes += value.length;
    }
  };
  const start = performance.now();
  let next = 0;
  let bytes = 0;
  const lane = async () => {
    while (next < length) {
      const from = next;
      next += range;
      const came = await read({ Range: `bytes=${from}-${Math.min(next, length) - 1}` });
      bytes += came;
    }
  };
  if (atOnce === 1) bytes = await read({});
  else await Promise.all(Array.from({ length: atOnce }, lane));
  if (bytes !== length) throw new Error(`${bytes} of ${length} bytes came`);
  return performance.now() - start;
}
