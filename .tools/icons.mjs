// The app's icons, drawn from its one SVG: node icons.mjs FAVICON FOLDER.
//
// On a tile of the accent colour, as large as each system wants it: `any` has
// round corners of its own, `maskable` and Apple's are cut by the system.

import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Resvg, initWasm } from "@resvg/resvg-wasm";

const PAPER = "#fbfcfb";
const ACCENT = "#0b6a4a";
/** Name, pixels, radius of the corners and size of the drawing, as shares of the tile. */
const ICONS = [
  ["icon-192", 192, 0.22, 0.62],
  ["icon-512", 512, 0.22, 0.62],
  ["maskable-192", 192, 0, 0.5],
  ["maskable-512", 512, 0, 0.5],
  ["apple-180", 180, 0, 0.58],
];

const [source, folder] = process.argv.slice(2);
const own = new URL(import.meta.url).pathname;
if (ICONS.some(([name]) => stale(path.join(folder, `${name}.png`)))) await draw();

async function draw() {
  const wasm = createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm");
  await initWasm(readFileSync(wasm));
  const svg = readFileSync(source, "utf8");
  // The drawing alone: its colours are those of a small mark on the page.
  const drawing = svg.replace(/<style>[^]*<\/style>/, "").replace(/^[^]*?<svg[^>]*>|<\/svg>\s*$/g, "");
  mkdirSync(folder, { recursive: true });
  for (const [name, pixels, radius, share] of ICONS) {
    const margin = (1 - share) / 2;
    const tile = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">
      <style>.page { fill: ${PAPER} } .line { fill: ${ACCENT} }</style>
      <rect width="1" height="1" rx="${radius}" fill="${ACCENT}"/>
      <svg x="${margin}" y="${margin}" width="${share}" height="${share}" viewBox="0 0 32 32">${drawing}</svg>
    </svg>`;
    const png = new Resvg(tile, { fitTo: { mode: "width", value: pixels } }).render().asPng();
    writeFileSync(path.join(folder, `${name}.png`), png);
  }
}

function stale(file) {
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return made < statSync(source).mtimeMs || made < statSync(own).mtimeMs;
}
