// Memory of Chromium's renderer processes. Read from the kernel (Linux), because
// no browser interface counts wasm memory and its copies.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const MiB = 2 ** 20;

/** A function that sums the private memory of all renderer processes, in bytes. */
export async function rendererMemory(context) {
  const session = await context.browser().newBrowserCDPSession();
  return async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { id }) => sum + privateBytes(id), 0);
  };
}

/** Memory that belongs to this process alone, resident or swapped out. */
function privateBytes(pid) {
  let rollup;
  try {
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  } catch {
    return 0; // the process has just ended
  }
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) * 1024;
  return field("Private_Clean") + field("Private_Dirty") + field("Swap");
}

/** The value once it no longer moves, within 1 MiB, for a second. */
export async function settled(read) {
  let last = await read();
  for (let quiet = 0, turns = 0; quiet < 4 && turns < 60; turns++) {
    await sleep(250);
    const now = await read();
    quiet = Math.abs(now - last) < MiB ? quiet + 1 : 0;
    last = now;
  }
  return last;
}
