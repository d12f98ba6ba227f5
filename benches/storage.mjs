// What the browser's stores cost for weights: IndexedDB, OPFS (synchronous handles)
// and the Cache API, each with records of 8 MiB, as src/store writes and reads them.
//
// `node benches/storage.mjs [MB,MB] [ROUNDS]` prints a table in Markdown: the median
// of the rounds (smallest to largest). Each round has a browser with a fresh profile on
// disk, and reads in a second browser on the same profile, as a next visit does.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import os from "node:os";
import path from "node:path";
import { launchFolder } from "../tests/browser/chromium.mjs";

const RECORD_BYTES = 8 << 20;
const STORES = ["indexeddb", "opfs", "cache"];
const MEASURES = { write: "write, MB/s", first: "first record, ms", read: "read, MB/s", checked: "read and SHA-256, MB/s" };

const sizes = (process.argv[2] ?? "100,1000").split(",").map(Number);
const rounds = Number(process.argv[3] ?? 3);

const page = createServer((_request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>"));
await new Promise((resolve) => page.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${page.address().port}/`;

const header = ["MB", "store", ...Object.values(MEASURES)];
console.log(`| ${header.join(" | ")} |\n|${"---|".repeat(header.length)}`);
for (const megabytes of sizes) {
  const runs = Object.fromEntries(STORES.map((store) => [store, []]));
  // In alternation, so that what disturbs the machine disturbs all alike.
  for (let round = 0; round < rounds; round++) {
    for (const store of STORES) runs[store].push(await measure(store, Math.ceil((megabytes * 1e6) / RECORD_BYTES)));
  }
  for (const store of STORES) {
    const cells = Object.keys(MEASURES).map((name) => spread(runs[store].map((run) => run[name])));
    console.log(`| ${megabytes} | ${store} | ${cells.join(" | ")} |`);
  }
}
page.close();

async function measure(store, records) {
  const profile = await mkdtemp(path.join(os.tmpdir(), "pagelm-storage-"));
  try {
    const visit = async (task) => {
      const context = await launchFolder(profile);
      try {
        const tab = await context.newPage();
        await tab.goto(address);
        return await tab.evaluate(inPage, { worker: `(${inWorker})()`, job: { store, records, bytes: RECORD_BYTES, task } });
      } finally {
        await context.close();
      }
    };
    return { ...(await visit("write")), ...(await visit("read")), ...(await visit("checked")) };
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const shown = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  return `${shown(sorted[sorted.length >> 1])} (${shown(sorted[0])} to ${shown(sorted.at(-1))})`;
}

// --- in the page ------------------------------------------------------------

function inPage({ worker, job }) {
  const script = new Worker(URL.createObjectURL(new Blob([worker], { type: "text/javascript" })));
  return new Promise((resolve, reject) => {
    script.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    script.onerror = reject;
    script.postMessage(job);
  });
}

function inWorker() {
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const stores = {
    async indexeddb() {
      const opening = indexedDB.open("bench");
      opening.onupgradeneeded = () => opening.result.createObjectStore("records");
      const database = await settled(opening);
      const start = (mode) => database.transaction("records", mode, { durability: "relaxed" });
      return {
        write: (i, record) => new Promise((resolve, reject) => {
          const transaction = start("readwrite");
          transaction.oncomplete = resolve;
          transaction.onabort = () => reject(transaction.error);
          transaction.objectStore("records").put(record, i);
        }),
        read: (i) => settled(start("readonly").objectStore("records").get(i)),
        close: () => database.close(),
      };
    },
    async opfs(bytes) {
      const folder = await navigator.storage.getDirectory();
      const file = await folder.getFileHandle("bench", { create: true });
      const handle = await file.createSyncAccessHandle();
      return {
        write: (i, record) => void handle.write(new Uint8Array(record), { at: i * bytes }),
        read: (i) => {
          const record = new ArrayBuffer(bytes);
          handle.read(new Uint8Array(record), { at: i * bytes });
          return record;
        },
        close: () => (handle.flush(), handle.close()),
      };
    },
    async cache() {
      const cache = await caches.open("bench");
      const key = (i) => `${self.origin}/record/${i}`;
      return {
        write: (i, record) => cache.put(key(i), new Response(record)),
        read: async (i) => (await cache.match(key(i))).arrayBuffer(),
        close: () => {},
      };
    },
  };
  onmessage = async ({ data: { store, records, bytes, task } }) => {
    try {
      const target = new Uint8Array(bytes);
      const start = performance.now();
      const open = await stores[store](bytes);
      let first;
      if (task === "write") {
        // Random, as some stores compress; each record another one.
        for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(target.subarray(at, at + 65536));
        const begun = performance.now();
        for (let i = 0; i < records; i++) {
          target[i % bytes] ^= i + 1;
          await open.write(i, target.buffer);
        }
        await open.close();
        return postMessage({ write: (records * bytes) / 1e3 / (performance.now() - begun) });
      }
      for (let i = 0; i < records; i++) {
        const record = await open.read(i);
        if (record.byteLength !== bytes) throw new Error(`record ${i} has ${record.byteLength} bytes`);
        if (task === "checked") await crypto.subtle.digest("SHA-256", record);
        // As into wasm memory.
        target.set(new Uint8Array(record));
        first ??= performance.now() - start;
        record.transfer?.(0);
      }
      const rate = (records * bytes) / 1e3 / (performance.now() - start);
      await open.close();
      postMessage(task === "checked" ? { checked: rate } : { first, read: rate });
    } catch (error) {
      postMessage({ error: String(error) });
    }
  };
}
