// The package as npm packs and installs it, in a small program: without a bundler, and built by
// Vite 7 and 8, webpack and esbuild by what the guide says of each. Every build is run.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { DOCROOT, PROJECT } from "./fixtures.mjs";
import { launch } from "./chromium.mjs";
import { needsRealModel } from "./harness.mjs";
import { serve } from "./server.mjs";
import { BUILDS as GUIDE, commands, snippets } from "./snippets.mjs";

const SOURCE = path.join(PROJECT, "tests/bundlers");
const WORK = path.join(PROJECT, "target/bundlers");
const PACKAGE = path.join(WORK, "node_modules/pagelm");
const require = createRequire(import.meta.url);
/** What the guide has npm and esbuild do. */
const told = commands([GUIDE]).map(({ command }) => command);
assert.deepEqual(told.filter((command) => !/^(npm|esbuild|cp) /.test(command)), [], "no test runs this");
const [importMap] = snippets([GUIDE]).filter(({ language }) => language === "html");
const [viteConfig] = snippets([GUIDE]).filter(({ language }) => language === "ts");

/** Runs commands of the guide where the program is, without a network. */
function tell(which) {
  const own = told.filter((command) => which.test(command));
  assert.ok(own.length > 0, `the guide has no command ${which}`);
  for (const command of own) {
    const PATH = [path.join(PROJECT, "tests/node_modules/.bin"), process.env.PATH].join(path.delimiter);
    const { status, stderr } = spawnSync("bash", ["-c", command.replace("./pkg", path.join(PROJECT, "pkg"))], { cwd: WORK, encoding: "utf8", env: { ...process.env, PATH, npm_config_offline: "true", npm_config_audit: "false" } });
    assert.equal(status, 0, `${command}\n${stderr}`);
  }
}

/** What `npm pack` puts into the archive. */
function pack() {
  const { stdout, status, stderr } = spawnSync("npm", ["pack", "--json", "--dry-run"], { cwd: path.join(PROJECT, "pkg"), encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout)[0].files.map(({ path }) => path);
}

const BUILDS = {
  "no bundler": async (out) => {
    cpSync(PACKAGE, path.join(out, "pagelm"), { recursive: true });
    const html = readFileSync(path.join(SOURCE, "index.html"), "utf8").replace("</head>", `${importMap.code}</head>`);
    writeFileSync(path.join(out, "index.html"), html);
    cpSync(path.join(SOURCE, "main.js"), path.join(out, "main.js"));
  },
  "Vite 7": (out) => vite("vite7", out),
  "Vite 8": (out) => vite("vite8", out),
  webpack: async (out) => {
    const webpack = require("webpack");
    const config = {
      mode: "production",
      context: WORK,
      entry: "./main.js",
      output: { path: out, filename: "main.js" },
      performance: { hints: false },
      optimization: { minimize: false }, // it would take ten times as long
    };
    const stats = await new Promise((resolve, reject) => webpack(config, (error, stats) => (error ? reject(error) : resolve(stats))));
    assert.ok(!stats.hasErrors(), stats.toString({ all: false, errors: true }));
    cpSync(path.join(SOURCE, "index.html"), path.join(out, "index.html"));
  },
  esbuild: async (out) => {
    // The workers are programs of their own; the binaries and style sheets lie beside them.
    tell(/^(esbuild|cp) /);
    cpSync(path.join(WORK, "out"), out, { recursive: true });
    cpSync(path.join(SOURCE, "index.html"), path.join(out, "index.html"));
  },
};

async function vite(name, out) {
  const { build } = await import(name);
  await build({ root: WORK, base: "./", configFile: path.join(WORK, "vite.config.ts"), logLevel: "error", build: { outDir: out, emptyOutDir: false } });
}

describe("the package", needsRealModel(), () => {
  let server;
  let browser;
  before(async () => {
    rmSync(WORK, { recursive: true, force: true });
    mkdirSync(WORK, { recursive: true });
    writeFileSync(path.join(WORK, "package.json"), JSON.stringify({ name: "program", private: true, type: "module" }));
    writeFileSync(path.join(WORK, "vite.config.ts"), viteConfig.code);
    tell(/^npm /);
    assert.ok(existsSync(PACKAGE), "npm has not installed the package");
    for (const file of ["main.js", "index.html"]) cpSync(path.join(SOURCE, file), path.join(WORK, file));
    server = await serve({ root: WORK, isolated: true });
    symlinkSync(path.join(DOCROOT, "models"), path.join(WORK, "models"));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("has all that it needs, and nothing else", () => {
    const files = pack();
    const unknown = files.filter((file) => !/^(package\.json|README\.md|LICENSE|[\w-]+\.(js|d\.ts|css)|widget\/[\w-]+\.js|types\/[\w-]+\.d\.ts|docs\/[\w-]+\.md|wasm\/(simd|relaxed|threads)\/pagelm(\.js|_bg\.wasm))$/.test(file));
    assert.deepEqual(unknown, []);
    for (const file of ["LICENSE", "pagelm.js", "pagelm.d.ts", "page-lm.js", "page-lm.d.ts", "page-lm.css", "worker.js", "helper.js", "wasm/simd/pagelm_bg.wasm"]) assert.ok(files.includes(file), file);
    // What a module imports is there.
    for (const file of files.filter((file) => /^(widget\/)?[\w-]+\.js$/.test(file))) {
      const text = readFileSync(path.join(PROJECT, "pkg", file), "utf8");
      for (const [, other] of text.matchAll(/(?:from|import\(|new URL\() ?"(\.[^"]+)"/g)) {
        assert.ok(files.includes(path.posix.join(path.posix.dirname(file), other)), `${file} names ${other}`);
      }
    }
  });

  test("can be imported in Node, for its types and its error", async () => {
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", 'const { PageLM, PageLMError } = await import("pagelm"); if (!PageLM || !PageLMError) process.exit(1)'], { cwd: WORK, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });

  for (const [name, build] of Object.entries(BUILDS)) {
    test(`${name}: builds and answers`, async (t) => {
      const folder = `builds/${name.toLowerCase().replaceAll(" ", "-")}`;
      const out = path.join(WORK, folder);
      mkdirSync(out, { recursive: true });
      await build(out);
      assert.ok(existsSync(path.join(out, "index.html")));
      await answers(t, server.url(`${folder}/index.html`));
    });
  }

  for (const name of ["vite7", "vite8"]) {
    test(`the development server of ${name}: answers`, async (t) => {
      const { createServer } = await import(name);
      const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
      const own = { host: "127.0.0.1", headers, fs: { strict: false } }; // the model lies elsewhere
      const dev = await createServer({ root: WORK, configFile: path.join(WORK, "vite.config.ts"), logLevel: "error", server: own });
      t.after(() => dev.close());
      await dev.listen();
      await answers(t, dev.resolvedUrls.local[0]);
    });
  }

  /** The program at this address, run to its end. */
  async function answers(t, url) {
    const page = await (await browser.newContext()).newPage();
    t.after(() => page.context().close());
    const failed = [];
    page.on("response", (response) => response.status() >= 400 && failed.push(response.url()));
    await page.goto(url);
    await page.waitForFunction(() => globalThis.outcome !== undefined);
    const outcome = await page.evaluate(() => globalThis.outcome);
    assert.deepEqual(failed, []);
    assert.match(outcome.text ?? outcome.error, /Paris/);
    assert.match(outcome.answer, /Paris/);
    assert.ok(outcome.threads > 1 || (await page.evaluate(() => navigator.hardwareConcurrency)) === 1, `${outcome.threads} threads`);
  }
});
