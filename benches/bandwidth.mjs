// How fast wasm in this browser reads memory: the ceiling of decoding, which
// reads every weight once a token. Workers sum 128-bit loads over 128 MiB, which
// they share out among them as threads share the weights.
//
// `node benches/bandwidth.mjs [WORKERS]` prints GB/s.

import { pathToFileURL } from "node:url";
import { launch } from "../tests/browser/chromium.mjs";
import { openSite } from "./site.mjs";

const PAGE_BYTES = 65536;
const PAGES = 2048;
// In a browser's first second two workers read at half their speed, and first passes are compiled plainly.
const WARM_UP_MS = 1500;
const READ_MS = 1000;

/** GB/s that so many workers read at once. */
export async function readBandwidth(address, workers) {
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(address);
    const job = { module: [...sumModule()], worker: `(${readInWorker})()`, workers, pages: Math.floor(PAGES / workers), warmUp: WARM_UP_MS, ms: READ_MS };
    return (await page.evaluate(readInPage, job)) / 1e9;
  } finally {
    await browser.close();
  }
}

async function readInPage({ module, worker, workers, pages, warmUp, ms }) {
  const script = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
  const team = Array.from({ length: workers }, () => new Worker(script));
  const ask = (message) => Promise.all(team.map((member) => new Promise((resolve, reject) => {
    member.onmessage = ({ data }) => resolve(data);
    member.onerror = reject;
    member.postMessage(message);
  })));
  await ask({ module: new Uint8Array(module), pages });
  await ask({ ms: warmUp });
  const rates = await ask({ ms });
  return rates.reduce((sum, rate) => sum + rate, 0);
}

function readInWorker() {
  let memory;
  let sum;
  onmessage = async ({ data }) => {
    if (data.module) {
      memory = new WebAssembly.Memory({ initial: data.pages });
      // Written to, so that every page is a page of memory of its own.
      new Uint8Array(memory.buffer).fill(1);
      ({ sum } = (await WebAssembly.instantiate(data.module, { e: { m: memory } })).instance.exports);
      return postMessage("ready");
    }
    const start = performance.now();
    let passes = 0;
    let elapsed = 0;
    for (; elapsed < data.ms; passes++, elapsed = performance.now() - start) sum(0, memory.buffer.byteLength);
    postMessage((passes * memory.buffer.byteLength * 1000) / elapsed);
  };
}

const [I32, V128] = [0x7f, 0x7b];
const ACCUMULATORS = 8;

/**
 * (module
 *   (import "e" "m" (memory 1))
 *   (func (export "sum") (param $at i32) (param $end i32) (result i32) (local $v0 … $v7 v128)
 *     (loop
 *       (local.set $v0 (i32x4.add (local.get $v0) (v128.load offset=0 (local.get $at)))) …
 *       (local.set $at (i32.add (local.get $at) (i32.const 128)))
 *       (br_if 0 (i32.lt_u (local.get $at) (local.get $end))))
 *     the sum of all lanes 0, so that no load is in vain))
 */
function sumModule() {
  const [AT, END] = [0, 1];
  const sums = Array.from({ length: ACCUMULATORS }, (_, i) => 2 + i);
  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const add = [0xfd, 0xae, 0x01]; // i32x4.add
  const load = (offset) => [0xfd, 0x00, 0x04, offset]; // v128.load, aligned to 16
  const stride = [0x41, 0x80, 0x01]; // i32.const 128
  const body = [
    ...[0x01, ACCUMULATORS, V128],
    ...[0x03, 0x40],
    ...sums.flatMap((sum, i) => [...get(sum), ...get(AT), ...load(16 * i), ...add, ...set(sum)]),
    ...[...get(AT), ...stride, 0x6a, ...set(AT)],
    ...[...get(AT), ...get(END), 0x49, 0x0d, 0x00],
    0x0b,
    ...sums.flatMap((sum, i) => [...get(sum), ...(i > 0 ? add : [])]),
    ...[0xfd, 0x1b, 0x00], // i32x4.extract_lane 0
    0x0b,
  ];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 0x02, 0x00, 0x01]), // "e" "m" (memory 1)
    ...section(3, [1, 0]),
    ...section(7, [1, 3, 0x73, 0x75, 0x6d, 0x00, 0]), // "sum"
    ...section(10, [1, ...sized(body)]),
  ]);
}

function section(id, content) {
  return [id, ...sized(content)];
}

/** With its length before it, in two bytes of LEB128. */
function sized(content) {
  return [(content.length & 0x7f) | 0x80, content.length >> 7, ...content];
}

async function main() {
  const workers = Number(process.argv[2] ?? 1);
  const site = await openSite({});
  try {
    console.log(`${(await readBandwidth(site.page, workers)).toFixed(1)} GB/s, ${workers === 1 ? "1 worker" : `${workers} workers`}`);
  } finally {
    await site.stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main();
