// What the README and the guides show is run as it stands: the js blocks of a file are one
// program, the html blocks one page.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { reference } from "../../.tools/api-reference.mjs";
import { PROJECT } from "./fixtures.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import { RUN_BY, TEXTS, read, snippets } from "./snippets.mjs";

const site = await openSite({ isolated: false });
const blocks = (file, language) => snippets([file]).filter((each) => each.language === language).map(({ code }) => code);

test("every snippet is of a kind that a test runs", () => {
  for (const { file, language, code } of snippets()) {
    assert.ok(language in RUN_BY, `${file}: nothing runs \`${language}\`:\n${code}`);
  }
  // An indented block would go unseen.
  for (const file of TEXTS) assert.doesNotMatch(read(file), /(^|\n)\n {4}\S/, `${file} has a block without a language`);
});

describe("the words", needsRealModel(), () => {
  let context;
  before(async () => {
    context = await site.browser.newContext();
  });
  after(() => context.close());

  for (const file of TEXTS) {
    const program = blocks(file, "js").join("\n");
    if (program === "") continue;
    test(`${file}: its program runs`, async (t) => {
      const page = await context.newPage();
      t.after(() => page.close());
      const failures = [];
      page.on("pageerror", (error) => failures.push(String(error)));
      // A module's own end is the sign that all before it went well.
      const script = `${program}\nglobalThis.programEnded = true;\n`;
      serveText("program.js", "text/javascript", script);
      serveText("program.html", "text/html", `<!doctype html><meta charset="utf-8"><title>program</title><link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "pagelm": "./pkg/pagelm.js", "pagelm/": "./pkg/" } }</script><body><script type="module" src="program.js"></script>`);
      await page.goto(site.server.url("program.html"));
      await page.waitForFunction(() => globalThis.programEnded, undefined, { timeout: 90_000 }).catch((error) => failures.push(error.message));
      assert.deepEqual(failures, []);
    });
  }

  for (const file of TEXTS) {
    const html = blocks(file, "html").filter((code) => code.includes("<page-lm"));
    if (html.length === 0) continue;
    test(`${file}: its tag is a widget`, async (t) => {
      const page = await context.newPage();
      t.after(() => page.close());
      serveText("tag.html", "text/html", `<!doctype html><meta charset="utf-8"><title>tag</title><link rel="icon" href="data:,"><style>${blocks(file, "css").join("")}</style><main><p>The museum is closed on Mondays.</p></main>${html.join("")}`);
      await page.goto(site.server.url("tag.html"));
      await page.locator("page-lm").locator(".launcher button").click();
      const widget = page.locator("page-lm");
      await widget.locator("[part~=agree]").click();
      await page.waitForFunction(() => document.querySelector("page-lm").ready, undefined, { timeout: 60_000 });
      if (blocks(file, "css").length === 0) return;
      const looks = await widget.evaluate(({ shadowRoot }) => {
        const style = (selector) => getComputedStyle(shadowRoot.querySelector(selector));
        return [style(".send").backgroundColor, style(".launcher button").textTransform];
      });
      assert.deepEqual(looks, ["rgb(122, 46, 110)", "uppercase"]);
    });
  }
});

test("what is shown of other libraries and of configurations is TypeScript", async () => {
  const { transform } = await import("esbuild");
  for (const { code } of snippets().filter(({ language }) => language === "ts")) await transform(code, { loader: "ts" });
});

test("tsc --strict passes over the programs of the guides", () => {
  const folder = path.join(PROJECT, "target/docs");
  mkdirSync(folder, { recursive: true });
  const files = [];
  for (const file of TEXTS) {
    const program = blocks(file, "js").join("\n").replaceAll('"./pkg/pagelm.js"', '"pagelm"');
    if (program === "") continue;
    files.push(`${file.replaceAll("/", "-")}.ts`);
    writeFileSync(path.join(folder, files.at(-1)), `${program}\nexport {};\n`);
  }
  const options = { ...JSON.parse(read("tests/types/tsconfig.json")).compilerOptions, noUncheckedIndexedAccess: false, paths: { pagelm: ["../../pkg/pagelm.d.ts"], "pagelm/page-lm.js": ["../../pkg/page-lm.d.ts"] } };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "--project", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("the API reference is that of the types", () => {
  assert.equal(read("pkg/docs/api.md"), reference(), "run node .tools/api-reference.mjs");
});

test("every error code has its cause and its cure", () => {
  const table = read("pkg/docs/errors.md");
  const types = read("pkg/pagelm.d.ts");
  const union = types.slice(types.indexOf("export type ErrorCode"), types.indexOf("(string & {})", types.indexOf("export type ErrorCode")));
  const typed = [...union.matchAll(/\| "(\w+)"/g)].map(([, code]) => code);
  const engine = read("src/error.rs");
  const thrown = [...engine.slice(engine.indexOf("pub fn code"), engine.indexOf("pub fn data")).matchAll(/=> "(\w+)"/g)].map(([, code]) => code);
  assert.ok(typed.length > 20 && thrown.length > 15);
  for (const code of new Set([...typed, ...thrown])) {
    assert.ok(table.includes(`\`${code}\``), `${code} is not in the guide`);
    assert.ok(typed.includes(code), `${code} is not in the types`);
  }
});

test("the pictures are there, and small", () => {
  const pictures = [...read("README.md").matchAll(/(?:src|srcset)="([^"]+\.webp)"/g)].map(([, file]) => path.join(PROJECT, file));
  assert.equal(pictures.length, 2);
  for (const file of pictures) assert.ok(statSync(file).size < 150_000, file);
});

test("links between the guides lead somewhere", () => {
  for (const file of TEXTS) {
    for (const [, target] of read(file).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(path.join(PROJECT, path.dirname(file), target)), `${file} → ${target}`);
    }
  }
});

function serveText(file, type, body) {
  site.server.route(file, (_request, response) => {
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8`, "Cache-Control": "no-store" });
    response.end(body);
  });
}
