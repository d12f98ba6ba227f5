// What the engines' pages are served from: an empty isolated page, the engines
// and their packages, and the models under plain addresses.

import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "../tests/browser/fixtures.mjs";
import { sendFile, sendText, serve } from "../tests/browser/server.mjs";

const PAGE = `<!doctype html><title>bench</title><link rel="icon" href="data:,">`;

/**
 * @param {object} options
 * @param {string} [options.model] path of a GGUF file
 * @param {string} [options.onnx] folder of the same model in ONNX
 */
export async function openSite({ model, onnx }) {
  const server = await serve({ root: PROJECT, isolated: true });
  server.route("bench.html", (_request, response) => sendText(response, 200, PAGE, "text/html; charset=utf-8"));
  return {
    page: server.url("bench.html"),
    model: model && routeFile(server, `model/${path.basename(model)}`, path.resolve(model)),
    onnx: onnx && routeFolder(server, "onnx/", path.resolve(onnx)),
    module: (name) => server.url(`benches/engines/${name}.js`),
    mark: () => server.count(),
    wasmBytes: (mark) => wasmBytes(server.requests().slice(mark)),
    stop: () => server.stop(),
  };
}

function routeFile(server, address, file) {
  return server.route(address, (request, response) => sendFile(request, response, file));
}

function routeFolder(server, address, folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (!entry.isDirectory()) routeFile(server, address + path.relative(folder, file).split(path.sep).join("/"), file);
  }
  return server.url(address);
}

/** Bytes of the wasm files among the requests, each once, as they lie on the disk. */
function wasmBytes(requests) {
  const files = new Set(requests.filter(({ path }) => path.endsWith(".wasm")).map(({ path }) => path));
  return [...files].reduce((sum, file) => sum + statSync(path.join(PROJECT, file)).size, 0);
}
