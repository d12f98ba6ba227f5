// Finds the Chromium to test with and starts it without a window.

import { accessSync, constants, readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"];
const MAC_APPS = ["Chromium", "Google Chrome", "Microsoft Edge", "Brave Browser"];

// Background traffic of the browser's own would disturb the request counts and the timings.
const ARGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Path of a Chromium: $CHROMIUM, else the PATH, else the usual places of macOS. */
export function chromiumPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  if (process.platform === "darwin") {
    for (const base of ["/Applications", path.join(os.homedir(), "Applications")]) {
      for (const app of MAC_APPS) candidates.push(path.join(base, `${app}.app`, "Contents", "MacOS", app));
    }
  }
  const found = candidates.find(isExecutable);
  if (!found) throw new Error("No Chromium found. Install one, or set CHROMIUM to the path of its program.");
  return found;
}

/** Arguments for a browser without a window that nothing is attached to; an address may follow. */
export function chromiumArgs(profile) {
  return ["--headless", "--no-sandbox", ...ARGS, `--user-data-dir=${profile}`];
}

/** Starts a browser; contexts made in it are private (nothing reaches the disk). */
export function launch({ args = [] } = {}) {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, args: [...ARGS, ...args] });
}

/**
 * Starts a browser with a profile on disk, as an ordinary visit has it.
 *
 * @param {object} [options]
 * @param {string[]} [options.args]
 * @param {(profile: string) => Promise<void>} [options.prepare] fills the profile before the start
 * @param {object} [options.contextOptions] Playwright's
 * @returns {Promise<{context: import("playwright-core").BrowserContext, close: () => Promise<void>}>}
 */
export async function launchProfile({ args = [], prepare, contextOptions } = {}) {
  const profile = await mkdtemp(path.join(os.tmpdir(), "pagelm-profile-"));
  try {
    await prepare?.(profile);
    const context = await launchFolder(profile, args, contextOptions);
    const close = async () => {
      await context.close();
      await removeFolder(profile);
    };
    return { context, close };
  } catch (error) {
    await removeFolder(profile);
    throw error;
  }
}

/**
 * A profile on disk that outlives its browser: for what a killed browser leaves. It goes
 * with the test `t`.
 */
export async function launchKeptProfile(t) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "pagelm-profile-"));
  const contexts = [];
  t.after(async () => {
    // Of a killed browser there is nothing to close.
    for (const context of contexts) await context.close().catch(() => {});
    await removeFolder(folder);
  });
  const launch = async () => {
    const context = await launchFolder(folder);
    contexts.push(context);
    return context;
  };
  return { folder, launch };
}

/** Starts a browser with the profile in this folder. */
export function launchFolder(folder, args = [], contextOptions = {}) {
  return chromium.launchPersistentContext(folder, { executablePath: chromiumPath(), headless: true, args: [...ARGS, ...args], ...contextOptions });
}

/** Kills the processes of the browser that has this profile, at once (Linux). */
export function killBrowser(folder) {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let command = "";
    try {
      command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      continue; // it has just ended
    }
    if (command.includes(`--user-data-dir=${folder}\0`)) process.kill(Number(pid), "SIGKILL");
  }
}

// The browser's helper processes may still be writing when it is already closed.
function removeFolder(folder) {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
