// Pages sent with the headers of a test in place of the policy that stands in them.

import { readFileSync } from "node:fs";
import path from "node:path";
import { DOCROOT } from "./fixtures.mjs";

const META = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">\n?/;

/** The policy that a page of the site has in itself, as a header. */
export function policyOf(file) {
  const [, policy] = META.exec(html(file));
  return ["Content-Security-Policy", policy];
}

/**
 * Serves a page with these headers, and without the policy that stands in it.
 * @param {[string, string][]} headers
 */
export function send(server, file, headers) {
  const body = html(file).replace(META, "");
  server.route(file, (_request, response) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(body);
  });
}

function html(file) {
  return readFileSync(path.join(DOCROOT, file), "utf8");
}
