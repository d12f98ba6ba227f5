// The processes of a browser, as the kernel tells of them (Linux).

import { readFileSync, readdirSync } from "node:fs";

/** Processes below this one that show pages; those of the browser's own interface are left out. */
export function renderersBelow(ancestor) {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    // The name in brackets may hold anything; the parent is the second field behind it.
    const fields = read(`/proc/${pid}/stat`).split(") ").at(-1).split(" ");
    parents.set(Number(pid), Number(fields[1]));
  }
  const isOurs = (pid) => pid === ancestor || (parents.has(pid) && isOurs(parents.get(pid)));
  const isPage = (pid) => {
    const command = read(`/proc/${pid}/cmdline`);
    return command.includes("--type=renderer") && !/--(top-chrome-webui|extension-process)/.test(command);
  };
  return [...parents.keys()].filter((pid) => isOurs(pid) && isPage(pid));
}

/** A file of /proc; nothing if its process has just ended. */
export function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
