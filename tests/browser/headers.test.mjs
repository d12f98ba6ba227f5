// The headers that the guides show, sent as they stand: a policy under which the widget answers,
// and the two that let a page run threads.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { needsRealModel, openSite } from "./harness.mjs";
import { send } from "./policy.mjs";
import { snippets } from "./snippets.mjs";

const site = await openSite({ isolated: false, cors: true });
const { server } = site;
/** The same server by its other name: another origin. */
const elsewhere = server.origin.replace("127.0.0.1", "localhost");
const blocks = snippets().filter(({ language }) => language === "http");

/** The fields of a block; one that begins in the middle goes on with a policy. */
function fields(code) {
  const text = /^\S+: |^\S+:$/m.test(code.split("\n")[0]) ? code : `Content-Security-Policy:\n${code}`;
  return [...text.replace(/\n\s+/g, " ").matchAll(/^([\w-]+): ?(.*)$/gm)].map(([, name, value]) => [name, value.trim()]);
}

describe("headers of the guides", needsRealModel(), () => {
  test("there are policies and isolation headers", () => assert.ok(blocks.length >= 4, `${blocks.length}`));

  for (const [i, { file, code }] of blocks.entries()) {
    const headers = fields(code);
    const policy = headers.find(([name]) => name === "Content-Security-Policy")?.[1];
    test(`${file}, block ${i + 1}: ${headers.map(([name]) => name).join(", ")}`, async (t) => {
      const context = await site.browser.newContext();
      t.after(() => context.close());
      const page = await context.newPage();
      if (policy) await answersUnder(page, policy);
      else {
        send(server, "bench.html", headers);
        await page.goto(server.url("bench.html"));
        assert.ok(await page.evaluate(() => crossOriginIsolated));
      }
    });
  }
});

/** The example that is made for such a policy answers under it, and breaks no rule of it. */
async function answersUnder(page, policy) {
  const other = policy.includes("cdn.example");
  const example = other ? "examples/cross-origin/index.html" : "examples/csp/index.html";
  // What the guide leaves to the site is its own style sheet, icon and script.
  const own = policy.replaceAll("https://cdn.example", elsewhere).replaceAll("https://host-of-the-weights.example", elsewhere);
  const whole = other ? own.replace("script-src", "script-src 'self'").replace("style-src", "style-src 'self'") : own;
  send(server, example, [["Content-Security-Policy", `${whole}${whole.includes("default-src") ? "" : "; default-src 'none'"}; img-src 'self'`]]);
  const broken = [];
  page.on("console", (message) => message.type() === "error" && broken.push(message.text()));
  await page.goto(server.url(example));
  const widget = page.locator("page-lm");
  if (!other) await widget.evaluate((element, model) => element.setAttribute("model", model), `${elsewhere}/models/SmolLM2-135M-Instruct.Q4_1.gguf`);
  await widget.locator(".launcher button").click();
  await widget.locator("[part~=agree]").click();
  const text = await widget.evaluate((element) => element.load().then(() => element.ask("Name the capital of France.")));
  assert.match(text, /Paris/);
  assert.deepEqual(broken, []);
}
