// One Chromium and one server for a test file, and a fresh context for a test.
//
//   const site = await openSite();
//   test("…", async (t) => {
//     const page = await site.blank(t);
//     const info = await page.evaluate((url) => load(url).then((lm) => lm.info), site.realModel);
//   });

import { existsSync, readFileSync } from "node:fs";
import { after } from "node:test";
import { launch, launchProfile } from "./chromium.mjs";
import { DOCROOT, PROJECT, REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { serve } from "./server.mjs";

const BLANK = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>blank</title>
<link rel="icon" href="data:,">
`;
const HELPERS = readFileSync(new URL("./page-helpers.js", import.meta.url));

/**
 * Starts the server and the browser; both end with the test file.
 *
 * @param {object} [options]
 * @param {boolean} [options.isolated] send the isolation headers (default true)
 * @param {boolean} [options.cors]     let pages of every origin read what is served
 * @param {string} [options.prefix]    path under which the site lies (default "/")
 * @param {boolean} [options.onDisk]   one profile on disk in place of private contexts
 * @param {string[]} [options.args]    further switches for Chromium
 * @param {(profile: string) => Promise<void>} [options.prepare] fills the profile before the start
 * @param {object} [options.contextOptions] Playwright's, for a profile on disk
 */
export async function openSite({ isolated = true, cors = false, prefix = "/", onDisk = false, args, prepare, contextOptions } = {}) {
  requireBuild();
  const server = await serve({ root: DOCROOT, prefix, isolated, cors });
  const site = new Site(server);
  after(() => site.close());
  if (onDisk || prepare) site.profile = await launchProfile({ args, prepare, contextOptions });
  else site.browser = await launch({ args });
  return site;
}

class Site {
  constructor(server) {
    this.server = server;
    route(server, "blank.html", BLANK, "text/html; charset=utf-8");
    route(server, "helpers.html", `${BLANK}<script type="module" src="helpers.js"></script>\n`, "text/html; charset=utf-8");
    route(server, "helpers.js", HELPERS, "text/javascript; charset=utf-8");
  }

  /** Address of the real model on this server. */
  get realModel() {
    return this.server.url(REAL_MODEL);
  }

  /** A page at `file`, in a fresh context that ends with the test `t`. */
  async open(t, file, contextOptions) {
    const context = this.profile ? this.profile.context : await this.browser.newContext(contextOptions);
    const page = await context.newPage();
    t.after(() => (this.profile ? page.close() : context.close()));
    watch(page);
    await page.goto(this.server.url(file));
    return page;
  }

  /** A blank page with the helpers of page-helpers.js as globals. */
  async blank(t) {
    const page = await this.open(t, "helpers.html");
    await ready(page);
    return page;
  }

  /** A blank page of this context with the real model loaded as `lm`, as on a visit of its own. */
  async visit(context, options) {
    const page = await context.newPage();
    await page.goto(this.server.url("helpers.html"));
    await ready(page);
    await page.evaluate(([url, options]) => load(url, options).then(() => undefined), [this.realModel, options]);
    return page;
  }

  async close() {
    await this.profile?.close();
    await this.browser?.close();
    await this.server.stop();
  }
}

/** Waits until the helpers of a blank page stand, also after a reload. */
export async function ready(page) {
  await page.waitForFunction(() => globalThis.helpersReady !== undefined);
  const failure = await page.evaluate(() => globalThis.helpersReady);
  if (failure !== true) throw new Error(`pkg/pagelm.js does not load: ${failure}`);
}

/** Lines that the page or its workers wrote as errors, and exceptions nobody caught. */
export function complaints(page) {
  return page.complaints;
}

/** Lines that they wrote as warnings. */
export function warnings(page) {
  return page.warnings;
}

/** node:test options that skip with a clear line where the real model is not built. */
export function needsRealModel() {
  return existsSync(REAL_MODEL_FILE) ? {} : { skip: `no ${REAL_MODEL} under www/ (run ./build.sh test)` };
}

function watch(page) {
  page.complaints = [];
  page.warnings = [];
  page.on("console", (message) => {
    if (message.type() === "error") page.complaints.push(message.text());
    if (message.type() === "warning") page.warnings.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
}

function route(server, file, body, type) {
  server.route(file, (_request, response) => {
    response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body), "Cache-Control": "no-cache" });
    response.end(body);
  });
}

function requireBuild() {
  const missing = ["www/pkg/pagelm.js", "www/pkg/wasm/simd/pagelm_bg.wasm"].filter((file) => !existsSync(`${PROJECT}/${file}`));
  if (missing.length > 0) throw new Error(`Not built: ${missing.join(", ")}. Run ./build.sh build.`);
}
