// The list of what the service worker keeps: node shell.mjs FOLDER writes
// FOLDER/shell-files.js. A changed file changes the list, which makes browsers
// install the new version.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

const KEPT = new Set([".css", ".html", ".js", ".json", ".png", ".svg", ".wasm", ".webmanifest"]);
/** Of other pages, of the worker itself, and of developers. */
const LEFT_OUT = /^(models|examples)\/|^(sw|shell-files)\.js$|^gallery\.|(^|\/)package\.json$/;

const [root] = process.argv.slice(2);
const files = {};
for (const name of list(root)) {
  if (!KEPT.has(path.extname(name)) || LEFT_OUT.test(name)) continue;
  files[name] = createHash("sha256").update(readFileSync(path.join(root, name))).digest("base64");
}
const version = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
const text = `// Made by the build: every file of the app, with its SHA-256.\nself.SHELL = ${JSON.stringify({ version, files }, null, 1)};\n`;
writeFileSync(path.join(root, "shell-files.js"), text);

/** All files below a folder, links followed, as sorted relative names. */
function list(folder, prefix = "") {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      if (name === "node_modules" || (prefix === "" && name === "models")) return [];
      const below = path.join(folder, name);
      return statSync(below).isDirectory() ? list(below, `${prefix}${name}/`) : [prefix + name];
    });
}
