// A visit as people make it: Chromium with an address, and nothing attached to it. What drives
// a browser costs memory in the page's process (Chromium keeps the bodies of answers for it).
// The page tells the test of its stages by requests, whose answers let it go on.

import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { chromiumArgs, chromiumPath } from "./chromium.mjs";
import { read, renderersBelow } from "./processes.mjs";

const MiB = 2 ** 20;
/** How long a stage may take. */
const STAGE_MS = 60_000;
/** Between two looks at the memory. */
const WATCH_MS = 5;

/**
 * Opens a page that runs `script(stage, argument)` as a module; `await stage(name, data)` calls
 * `onStage(name, data, memory)` here and gives what that returns. Ends when the script does.
 *
 * @param {object} visit
 * @param {object} visit.server    a TestServer
 * @param {string} visit.profile   folder of the browser's profile
 * @param {Function} visit.script  runs in the page
 * @param {object} [visit.argument]
 * @param {(name: string, data: unknown, memory: Memory) => unknown} visit.onStage
 */
export async function plainVisit({ server, profile, script, argument, onStage }) {
  let memory;
  let timer;
  let ended;
  const end = new Promise((resolve, reject) => (ended = { resolve, reject }));
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => ended.reject(new Error(`nothing came from the page for ${STAGE_MS} ms`)), STAGE_MS);
  };
  server.route("plain-visit.html", (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(page(script, argument));
  });
  server.route("plain-visit-stage", async (request, response) => {
    const { name, data } = JSON.parse(await text(request));
    wait();
    try {
      if (name === "failed") throw new Error(`in the page: ${data}`);
      const answer = name === "done" ? ended.resolve() : await onStage(name, data, memory);
      response.end(JSON.stringify(answer ?? null));
    } catch (error) {
      response.destroy();
      ended.reject(error);
    }
  });
  const browser = spawn(chromiumPath(), [...chromiumArgs(profile), server.url("plain-visit.html")], { stdio: "ignore" });
  const exit = new Promise((resolve) => browser.on("exit", resolve));
  browser.on("error", (error) => ended.reject(error));
  memory = new Memory(browser.pid);
  wait();
  try {
    await end;
  } finally {
    clearTimeout(timer);
    memory.stop();
    browser.kill();
    await exit;
  }
}

function page(script, argument) {
  return `<!doctype html>
<meta charset="utf-8">
<title>a visit</title>
<link rel="icon" href="data:,">
<script type="module">
const stage = async (name, data) => (await fetch("plain-visit-stage", { method: "POST", body: JSON.stringify({ name, data }) })).json();
try {
  await (${script})(stage, ${JSON.stringify(argument ?? null)});
  stage("done");
} catch (error) {
  stage("failed", String(error?.stack ?? error));
}
</script>
`;
}

/**
 * Memory of a browser's page (Linux): the private memory of its renderer process, resident or
 * swapped out, as the browser's own task manager counts it. Files that are mapped, such as the
 * browser's program, do not count.
 */
class Memory {
  #browser;
  #renderers = [];
  #watching = false;

  constructor(browser) {
    this.#browser = browser;
  }

  /** Bytes now. */
  now() {
    return this.#renderers.reduce((sum, pid) => sum + privateBytes(pid), 0);
  }

  /** Bytes when they no longer move, within 1 MiB, for so many seconds. */
  async settled(seconds = 1) {
    this.#renderers = renderersBelow(this.#browser);
    let last = this.now();
    for (let quiet = 0, turns = 0; quiet < 4 * seconds && turns < 60 + 4 * seconds; turns++) {
      await sleep(250);
      const now = this.now();
      quiet = Math.abs(now - last) < MiB ? quiet + 1 : 0;
      last = now;
    }
    return last;
  }

  /** Watches from now on; the function that is returned ends it and tells the most bytes. */
  watch() {
    let most = 0;
    this.#watching = true;
    const look = async () => {
      while (this.#watching) {
        most = Math.max(most, this.now());
        await sleep(WATCH_MS);
      }
    };
    look();
    return () => {
      this.stop();
      return most;
    };
  }

  stop() {
    this.#watching = false;
  }
}

function privateBytes(pid) {
  const status = read(`/proc/${pid}/status`);
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
  return field("RssAnon") + field("VmSwap");
}

async function text(request) {
  let whole = "";
  for await (const piece of request.setEncoding("utf8")) whole += piece;
  return whole;
}
