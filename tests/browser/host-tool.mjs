// The host tool, as cargo has compiled it.

import { spawnSync } from "node:child_process";
import { PROJECT } from "./fixtures.mjs";

/** What the tool prints with `--json`. */
export function hostTool(...args) {
  const options = { cwd: PROJECT, encoding: "utf8", maxBuffer: 2 ** 28 };
  const { status, stdout, stderr } = spawnSync("cargo", ["run", "--quiet", "--", ...args, "--json"], options);
  if (status !== 0) throw new Error(`pagelm ${args[0]}: ${stderr}`);
  return JSON.parse(stdout);
}
