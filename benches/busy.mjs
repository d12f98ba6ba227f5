// Another process that keeps one core busy, as a second program on the device does.

import { spawn } from "node:child_process";

// It looks for its parent now and then, and ends when that is gone, however it went.
const LOOP = "const parent = process.ppid; while (process.ppid === parent) for (let i = 0; i < 1e8; i++);";

/** Does `work` while one core is kept busy. */
export async function withBusyCore(work) {
  const other = spawn(process.execPath, ["--eval", LOOP], { stdio: "ignore" });
  try {
    return await work();
  } finally {
    other.kill("SIGKILL");
  }
}
