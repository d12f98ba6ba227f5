// The frameworks of the example pages, which a page has from a CDN, out of node_modules.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const require = createRequire(import.meta.url);
const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Answers the CDNs' addresses for every page of `context`. */
export async function frameworks(context) {
  const vue = readFileSync(path.join(path.dirname(require.resolve("vue/package.json")), "dist/vue.runtime.esm-browser.prod.js"));
  // React has no ES modules; one bundle, so that both addresses have one React.
  const source = `export { createElement, useRef, useState } from "react"; export { createRoot } from "react-dom/client";`;
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: HERE },
    bundle: true,
    format: "esm",
    write: false,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const react = Buffer.from(outputFiles[0].contents);
  const send = (body) => (route) =>
    route.fulfill({ body, contentType: "text/javascript", headers: { "Access-Control-Allow-Origin": "*" } });
  await context.route("https://cdn.jsdelivr.net/npm/vue*/**", send(vue));
  await context.route("https://esm.sh/react@*", send(react));
  await context.route("https://esm.sh/react-dom@*/client", send(Buffer.from('export { createRoot } from "https://esm.sh/react@19.2.0";')));
}
