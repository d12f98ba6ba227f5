// The test server itself: what the other tests rely on.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import * as routes from "./routes.mjs";
import { parseRange, serve } from "./server.mjs";

const root = await mkdtemp(path.join(os.tmpdir(), "pagelm-server-"));
after(() => rm(root, { recursive: true }));
await writeFile(path.join(root, "ten.bin"), "0123456789");
await writeFile(path.join(root, "index.html"), "<!doctype html>");
const server = await serve({ root, prefix: "/some/where/", isolated: true });
after(() => server.stop());

test("files lie under the prefix only", async () => {
  const page = await fetch(server.url());
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(page.headers.get("cross-origin-opener-policy"), "same-origin");
  assert.equal((await fetch(`${server.origin}/ten.bin`)).status, 404);
  assert.equal((await fetch(server.url("%2e%2e/%2e%2e/etc/passwd"))).status, 404);
});

test("ranges follow RFC 9110", async () => {
  const cases = [
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=5-99", 206, "56789", "bytes 5-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=4-2", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
  ];
  for (const [range, status, body, contentRange] of cases) {
    const response = await fetch(server.url("ten.bin"), { headers: { range } });
    assert.deepEqual([response.status, await response.text(), response.headers.get("content-range")], [status, body, contentRange], range);
  }
  assert.equal(parseRange("bytes=-0", 10), "unsatisfiable");
});

test("If-Range with another validator sends the whole file", async () => {
  const etag = (await fetch(server.url("ten.bin"))).headers.get("etag");
  const get = (ifRange) => fetch(server.url("ten.bin"), { headers: { range: "bytes=2-4", "if-range": ifRange } });
  assert.equal((await get(etag)).status, 206);
  assert.equal((await get('"another"')).status, 200);
});

test("requests are counted, and a removed file is gone", async () => {
  const before = server.count("ten.bin");
  await fetch(server.url("ten.bin"));
  assert.equal(server.count("ten.bin"), before + 1);
  server.remove("ten.bin");
  assert.equal((await fetch(server.url("ten.bin"))).status, 404);
  server.unroute("ten.bin");
  assert.equal((await fetch(server.url("ten.bin"))).status, 200);
});

test("a cut connection ends where it is said to", async () => {
  const received = async (url) => {
    let length = 0;
    try {
      for await (const chunk of (await fetch(url)).body) length += chunk.length;
    } catch {
      return { length, broken: true };
    }
    return { length, broken: false };
  };
  const file = path.join(root, "big.bin");
  await writeFile(file, Buffer.alloc(1_000_000));
  assert.deepEqual(await received(server.route("half.bin", routes.cutFile(file, 0.5))), { length: 500_000, broken: true });
  assert.deepEqual(await received(server.route("cut.bin", routes.cutBytes(Buffer.alloc(1000), 10))), { length: 10, broken: true });
  assert.deepEqual(await received(server.route("chunked.bin", routes.chunked(Buffer.alloc(1000)))), { length: 1000, broken: false });
});

test("a stopped server refuses, and starts again on the same port", async () => {
  await server.stop();
  await assert.rejects(fetch(server.url("ten.bin")));
  await server.start();
  assert.equal((await fetch(server.url("ten.bin"))).status, 200);
});
