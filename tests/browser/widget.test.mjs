// <page-lm> on the example pages: each under its own policy, sent as a header, from the click that
// opens it to an answer of the real model.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync } from "node:zlib";
import { DOCROOT, PROJECT, REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { tinyLlama, writeGguf } from "./gguf.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";
import { frameworks } from "./frameworks.mjs";
import { policyOf, send } from "./policy.mjs";
import * as routes from "./routes.mjs";

// Hosts that set no headers are the rule: one thread, and other origins may read.
const site = await openSite({ isolated: false, cors: true });
const { server } = site;
const downloads = () => server.requests(REAL_MODEL).filter(({ method }) => method === "GET").length;
/** Where to leave pictures of what is shown, if anywhere. */
const PICTURES = process.env.PAGELM_PICTURES;
/** In Brotli; the README says so. */
const BEFORE_CONSENT = 25_000;
const EXAMPLES = ["plain", "docs", "blog", "csp", "cross-origin", "react", "vue"];
/** The same server by its other name: another origin, with a store of its own. */
const elsewhere = server.origin.replace("127.0.0.1", "localhost");
for (const name of EXAMPLES) send(server, `examples/${name}/index.html`, [policyOf(`examples/${name}/index.html`)]);

const widget = (page) => page.locator("page-lm").last();
const launcher = (page) => widget(page).locator(".launcher button");
const log = (page) => widget(page).getByRole("log");

async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
}

async function answered(page, question) {
  const input = widget(page).getByRole("textbox");
  const before = await widget(page).locator(".turn").count();
  await input.fill(question);
  await input.press("Enter");
  const answer = widget(page).locator(".turn .assistant").nth(before);
  await answer.and(widget(page).locator(":not([aria-busy])")).waitFor({ timeout: 90_000 });
  return answer;
}

describe("the example pages", needsRealModel(), () => {
  let context;
  before(async () => {
    context = await site.browser.newContext({ viewport: { width: 1100, height: 760 } });
    await frameworks(context);
  });
  after(() => context.close());

  async function open(t, file, origin = server.origin) {
    const page = await context.newPage();
    page.complaints = [];
    page.requested = [];
    page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("request", (request) => page.requested.push(new URL(request.url()).pathname));
    t.after(() => page.close());
    await page.goto(`${origin}/examples/${file}/index.html`);
    return page;
  }

  /** What a static host would send of the package, compressed. */
  function fetched(page) {
    const files = page.requested.filter((file) => file.startsWith("/pkg/"));
    assert.ok(files.length > 3, "the widget's own files were fetched");
    return files.map((file) => brotliCompressSync(readFileSync(path.join(DOCROOT, file))).length).reduce((a, b) => a + b, 0);
  }

  test("plain: nothing heavy before the visitor agrees, then an answer from the page", async (t) => {
    const page = await open(t, "plain");
    await launcher(page).waitFor();
    await picture(page, "plain-closed");
    assert.ok(!page.requested.some((file) => file.endsWith(".gguf")), "the model is not even asked about");
    await launcher(page).click();
    const consent = widget(page).getByText(/98 MB/).first();
    await consent.waitFor();
    assert.match(await widget(page).locator(".sheet").innerText(), new RegExp(`SmolLM2-135M-Instruct.*${new URL(server.origin).host}`, "s"));
    assert.equal(await page.evaluate(() => document.querySelector("page-lm").shadowRoot.activeElement?.part.value), "agree");
    await page.waitForTimeout(300); // the panel has risen
    await picture(page, "plain-consent");
    // Who writes while the server is asked for the size is not interrupted, nor is who reads the page.
    const focused = (page) => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.localName ?? document.activeElement?.localName);
    for (const [act, expected] of [
      [() => widget(page).getByRole("textbox").pressSequentially("Whe"), "textarea"],
      [() => page.evaluate(() => document.activeElement.blur()), "body"],
    ]) {
      await act();
      await page.evaluate(() => document.querySelector("page-lm").setAttribute("model", document.querySelector("page-lm").getAttribute("model") + "#"));
      await widget(page).getByText(/98 MB/).first().waitFor();
      assert.equal(await focused(page), expected);
    }
    await widget(page).locator("[part~=agree]").focus();
    const bytes = fetched(page);
    assert.ok(bytes < BEFORE_CONSENT, `${bytes} bytes before the visitor agreed`);
    assert.ok(!page.requested.some((file) => file.includes("/wasm/") || file.endsWith("worker.js")));
    assert.equal(downloads(), 0);

    // Awaited: a key that is pressed may overtake a script.
    await page.evaluate(() => {
      window.events = new Promise((resolve) => {
        const heard = [];
        for (const type of ["consent", "ready", "question", "answer"]) document.addEventListener(`page-lm-${type}`, () => heard.push(type));
        document.addEventListener("page-lm-answer", () => resolve(heard));
      });
    });
    await page.keyboard.press("Enter");
    await widget(page).locator("progress").waitFor();
    assert.equal(await page.evaluate(() => document.querySelector("page-lm").shadowRoot.activeElement?.part.value), "cancel");
    await picture(page, "plain-progress");
    const answer = await answered(page, "When is the museum closed?");
    assert.match(await answer.innerText(), /Monday/);
    // The question did not wait for the model.
    const heard = await page.evaluate(() => window.events);
    assert.deepEqual([heard[0], heard.at(-1), heard.toSorted()], ["consent", "answer", ["answer", "consent", "question", "ready"]]);
    const source = answer.getByRole("link", { name: "Opening hours" });
    await picture(page, "plain-answer");
    await source.click();
    assert.equal(new URL(page.url()).hash, "#hours");
    // The focus is still in the chat.
    await page.keyboard.press("Escape");
    await launcher(page).waitFor();
    assert.equal(await page.evaluate(() => document.querySelector("page-lm").lm.info.threads), 1);
    assert.deepEqual(complaints(page), []);
  });

  test("docs: the passages that a question is about, with links back", async (t) => {
    const page = await open(t, "docs");
    await launcher(page).click();
    await widget(page).getByRole("button", { name: "Start" }).click();
    const answer = await answered(page, "Which option prints heights in feet?");
    assert.match(await answer.innerText(), /metres|feet/);
    assert.deepEqual(await answer.getByRole("link").allInnerTexts(), ["Units"]);
    const second = await answered(page, "What does exit code 2 mean?");
    assert.ok((await second.getByRole("link").allInnerTexts()).includes("Exit codes"));
    assert.deepEqual(complaints(page), []);
    await picture(page, "docs");
  });

  test("blog: two widgets share one engine, the inline one has the page's colours, and what is inside shows without scripts", async (t) => {
    const page = await open(t, "blog");
    const inline = page.locator("page-lm[inline]");
    await inline.scrollIntoViewIfNeeded();
    await inline.getByRole("button", { name: "Start" }).click();
    await page.waitForFunction(() => document.querySelector("page-lm[inline]").ready);
    await picture(page, "blog");
    await launcher(page).click();
    await widget(page).getByRole("button", { name: "Start" }).click();
    const shared = () => {
      const [a, b] = document.querySelectorAll("page-lm");
      return a.lm !== null && a.lm === b.lm;
    };
    await page.waitForFunction(shared);
    assert.equal(page.workers().length, 1);
    const accent = await inline.evaluate((element) => getComputedStyle(element.shadowRoot.querySelector(".send")).backgroundColor);
    assert.equal(accent, "rgb(122, 46, 110)");
    // Both ask at once; each gets its own answer.
    const answers = await page.evaluate(() => Promise.all([...document.querySelectorAll("page-lm")].map((element) => element.ask("Name a colour."))));
    assert.ok(answers.every((text) => text.length > 0));
    // The engine lives as long as one of them does.
    await page.evaluate(() => document.querySelector("page-lm").remove());
    assert.ok((await page.evaluate(() => document.querySelector("page-lm").ask("Name another."))).length > 0);
    const lm = await page.evaluateHandle(() => document.querySelector("page-lm").lm);
    await page.evaluate(() => document.querySelector("page-lm").remove());
    const code = await page.evaluate((lm) => new Promise((resolve) => setTimeout(resolve)).then(() => lm.tokenize("a")).then(() => "works", (error) => error.code), lm);
    assert.equal(code, "unloaded");
    assert.deepEqual(complaints(page), []);

    // Out of sight nobody is asked for anything.
    await page.evaluate(() => {
      const far = document.createElement("page-lm");
      for (const [name, value] of [["inline", ""], ["model", "../../models/far.gguf"]]) far.setAttribute(name, value);
      const space = document.createElement("div");
      space.style.height = "3000px";
      document.body.append(space, far);
    });
    await page.waitForTimeout(300);
    assert.equal(server.count("models/far.gguf"), 0);
    await page.locator("page-lm").scrollIntoViewIfNeeded();
    await page.locator("page-lm").getByText(/far/).first().waitFor();
    assert.equal(server.count("models/far.gguf"), 1);

    const plain = await (await site.browser.newContext({ javaScriptEnabled: false })).newPage();
    t.after(() => plain.context().close());
    await plain.goto(server.url("examples/blog/index.html"));
    await plain.getByText("here is a plainer example").waitFor();
  });

  for (const name of EXAMPLES) {
    test(`${name}, from a second origin: little before consent, then two widgets in each of two tabs answer`, async (t) => {
      const page = await open(t, name, elsewhere);
      if (name === "react" || name === "vue") await page.getByRole("button", { name: "Open the assistant" }).click();
      else await page.locator("page-lm").last().evaluate((element) => customElements.whenDefined("page-lm").then(() => element.open()));
      await widget(page).locator("[part~=agree]").waitFor();
      const bytes = fetched(page);
      assert.ok(bytes < BEFORE_CONSENT, `${bytes} bytes before the visitor agreed`);
      assert.ok(!page.requested.some((file) => /\/wasm\/|worker\.js$/.test(file)), "the engine was fetched before consent");
      await widget(page).locator("[part~=agree]").click();
      const answer = await answered(page, "Name the capital of France.");
      const first = await answer.innerText();
      // Where an answer comes from the page, it says nothing of France.
      assert.match(first, ["plain", "docs", "blog"].includes(name) ? /./ : /Paris/);
      if (name === "react" || name === "vue") await page.getByRole("listitem").getByText("Name the capital of France.").waitFor();
      if (name === "cross-origin") assert.ok(page.workers()[0].url().startsWith("blob:"));

      const other = await open(t, name, elsewhere);
      const before = downloads();
      const texts = await Promise.all([page, other].map((tab) => tab.evaluate(async () => {
        await customElements.whenDefined("page-lm");
        const model = document.querySelector("page-lm").getAttribute("model");
        const second = document.createElement("page-lm");
        for (const [key, value] of [["model", model], ["inline", ""], ["temperature", "0"]]) second.setAttribute(key, value);
        document.body.append(second);
        return Promise.all([...document.querySelectorAll("page-lm")].map((element) => element.load().then(() => element.ask("Name the capital of France."))));
      })));
      for (const own of texts) assert.match(own.at(-1), /Paris/);
      assert.ok(texts.flat().every((text) => text.length > 0) && texts[0].length >= 2, JSON.stringify(texts));
      assert.equal(downloads(), before, "a tab has downloaded the model again");
      assert.deepEqual([...complaints(page), ...complaints(other)], []);
      await picture(page, name);
    });
  }

  test("stop, decline, clear, and a model that is not there", async (t) => {
    const page = await open(t, "csp");
    await launcher(page).click();
    await widget(page).getByRole("button", { name: "Not now" }).click();
    await launcher(page).click();
    await widget(page).getByRole("button", { name: "Start" }).click();
    await page.waitForFunction(() => document.querySelector("page-lm").ready);
    const focused = () => page.evaluate(() => document.querySelector("page-lm").shadowRoot.activeElement?.localName);
    assert.equal(await focused(), "textarea", "the focus went with the sheet");
    await widget(page).getByRole("textbox").fill("Write a long story about the sea.");
    await widget(page).getByRole("textbox").press("Enter");
    await page.waitForFunction(() => document.querySelector("page-lm").shadowRoot.querySelector(".turn .assistant p:not(.wait)"));
    await widget(page).getByRole("button", { name: "Stop" }).click();
    await widget(page).getByText("Stopped.").last().waitFor();
    assert.equal(await page.evaluate(() => document.querySelector("page-lm").messages.length), 2);
    await widget(page).getByRole("button", { name: "New conversation" }).click();
    assert.equal(await widget(page).locator(".turn").count(), 0);
    assert.equal(await focused(), "textarea", "the focus went with the button");

    // Who stops may ask again at once.
    const again = await page.evaluate(async () => {
      const element = document.querySelector("page-lm");
      const first = element.ask("Write a long story about the sea.").catch(({ name }) => name);
      const refused = await element.ask("Name a colour.").catch(({ message }) => message);
      element.stop();
      const second = await element.ask("Name the capital of France.");
      await first;
      element.clear();
      return { refused, second };
    });
    assert.match(again.refused, /still answering/);
    assert.match(again.second, /Paris/);

    // A conversation that is left in the middle of an answer leaves nothing in the new one.
    await widget(page).getByRole("textbox").fill("Write a long story about the sea.");
    await widget(page).getByRole("textbox").press("Enter");
    await page.waitForFunction(() => document.querySelector("page-lm").shadowRoot.querySelector(".turn .assistant p:not(.wait)"));
    await widget(page).getByRole("button", { name: "New conversation" }).click();
    await widget(page).getByRole("button", { name: "Send" }).waitFor();
    assert.deepEqual(await page.evaluate(() => document.querySelector("page-lm").messages), []);

    // A download that is cancelled can be begun again.
    server.route("models/slow.gguf", routes.trickleFile(REAL_MODEL_FILE, { piece: 100_000, ms: 20 }));
    await page.evaluate(() => {
      const element = document.createElement("page-lm");
      element.setAttribute("open", "");
      document.body.append(element);
    });
    await widget(page).getByText(/needs the attribute/).waitFor();
    // What is no address is said, to a question as well, and the next one is taken.
    for (const model of ["http://", "../../models/50%.gguf"]) {
      const asked = page.evaluate((model) => {
        const element = [...document.querySelectorAll("page-lm")].at(-1);
        element.setAttribute("model", model);
        return element.ask("Hello?").catch(({ name, message }) => ({ name, message }));
      }, model);
      if (model === "http://") assert.match((await asked).message, /“http:\/\/” is not the address/);
      else {
        await widget(page).getByText(/50%/).first().waitFor();
        await page.evaluate(() => [...document.querySelectorAll("page-lm")].at(-1).setAttribute("model", "../../models/other.gguf"));
        assert.equal((await asked).name, "AbortError", "the question does not wait for a model that is no more");
      }
    }
    await page.evaluate(() => [...document.querySelectorAll("page-lm")].at(-1).setAttribute("model", "../../models/slow.gguf"));
    await widget(page).getByRole("button", { name: /^Download/ }).click();
    await widget(page).getByText(/^Downloading: \d+ MB of 98 MB/).waitFor();
    await widget(page).getByRole("button", { name: "Cancel" }).click();
    await widget(page).getByRole("button", { name: /^Download/ }).waitFor();
    await page.evaluate(() => [...document.querySelectorAll("page-lm")].at(-1).remove());

    await page.evaluate(() => {
      const element = document.createElement("page-lm");
      element.setAttribute("model", "../../models/absent.gguf");
      element.setAttribute("open", "");
      document.body.append(element);
    });
    await widget(page).getByRole("button", { name: /^Download/ }).click();
    await widget(page).getByRole("alert").waitFor();
    assert.match(await widget(page).getByRole("alert").innerText(), /404/);
    await widget(page).getByRole("button", { name: "Try again" }).waitFor();
  });

  for (const [name, options] of [
    ["dark", { colorScheme: "dark", viewport: { width: 1100, height: 760 } }],
    ["phone", { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true }],
  ]) {
    test(`${name}: the panel fits and can be read`, async (t) => {
      const own = await site.browser.newContext(options);
      t.after(() => own.close());
      const page = await own.newPage();
      await page.goto(server.url("examples/plain/index.html"));
      await launcher(page).click();
      await widget(page).getByText(/98 MB/).first().waitFor();
      await page.waitForTimeout(300);
      await picture(page, name);
      const panel = await widget(page).locator(".panel").boundingBox();
      const { width, height } = page.viewportSize();
      assert.ok(panel.x >= 0 && panel.y >= 0 && panel.x + panel.width <= width && panel.y + panel.height <= height, JSON.stringify(panel));
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, "nothing sticks out");
      const contrast = await widget(page).evaluate((element) => {
        const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
        const luminance = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number).map(channel).reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
        const root = element.shadowRoot;
        const text = luminance(getComputedStyle(root.querySelector(".sheet .fine")).color);
        const sheet = luminance(getComputedStyle(root.querySelector(".sheet")).backgroundColor);
        return (Math.max(text, sheet) + 0.05) / (Math.min(text, sheet) + 0.05);
      });
      assert.ok(contrast >= 4.5, `contrast ${contrast}`);
      if (name !== "phone") return;
      // A source is shown, not left behind the panel.
      await widget(page).locator("[part~=agree]").click();
      const answer = await answered(page, "When is the museum closed?");
      await answer.getByRole("link", { name: "Opening hours" }).click();
      await widget(page).locator(".panel").waitFor({ state: "hidden" });
      assert.match(await page.evaluate(() => document.activeElement.textContent), /Monday|hours/i);
      const place = await page.evaluate(() => document.activeElement.getBoundingClientRect().toJSON());
      assert.ok(place.bottom > 0 && place.top < height, JSON.stringify(place));
    });
  }
});

test("the size of a model is that of all its files", async (t) => {
  const page = await site.open(t, "blank.html");
  const json = Buffer.from(JSON.stringify({ pagelm: 1, bytes: 123_456 }));
  server.route("models/packed/pagelm.json", routes.bytes(json));
  for (const [i, length] of [1000, 200, 30].entries()) server.route(`models/split-0000${i + 1}-of-00003.gguf`, routes.bytes(Buffer.alloc(length)));
  server.route("models/half-00001-of-00002.gguf", routes.bytes(Buffer.alloc(1000)));
  const sizes = await page.evaluate(async () => {
    const { describe } = await import("/pkg/widget/models.js");
    const sizes = {};
    for (const file of ["packed/pagelm.json", "split-00001-of-00003.gguf", "half-00001-of-00002.gguf", "none.gguf", "none.json"]) {
      sizes[file] = (await describe(`/models/${file}`, null)).bytes;
    }
    return sizes;
  });
  assert.deepEqual(sizes, { "packed/pagelm.json": 123_456, "split-00001-of-00003.gguf": 1230, "half-00001-of-00002.gguf": null, "none.gguf": null, "none.json": null });
});

test("a load that was given up does not take the next one's place", async (t) => {
  const page = await site.open(t, "blank.html");
  const url = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
  const outcome = await page.evaluate(async (url) => {
    const { acquire, release } = await import("/pkg/widget/models.js");
    const controller = new AbortController();
    const given = acquire(url, {}, () => {}, controller.signal).catch(({ name }) => name);
    controller.abort();
    const one = acquire(url, {}, () => {});
    const name = await given;
    await one;
    await new Promise((resolve) => setTimeout(resolve, 200));
    const two = await acquire(url, {}, () => {});
    const same = two === (await one);
    release(url, {});
    release(url, {});
    return { name, same, after: await two.tokenize("a").then(() => "works", ({ code }) => code) };
  }, url);
  assert.deepEqual(outcome, { name: "AbortError", same: true, after: "unloaded" });
});

test("an answer that is cut off, or has no text, says so", async (t) => {
  const page = await site.open(t, "blank.html");
  const shown = await page.evaluate(async () => {
    const [{ Turn }, { LABELS }] = await Promise.all([import("/pkg/widget/turn.js"), import("/pkg/widget/labels.js")]);
    return [["", "stop"], ["", "length"], ["Half a sen", "length"], ["Whole.", "stop"]].map(([text, finish_reason]) => {
      let said;
      const turn = new Turn("Why?", LABELS, () => {}, (words) => (said = words));
      turn.end(text, { sources: [], finish_reason });
      return [...turn.element.querySelectorAll(".assistant p")].map((p) => p.textContent).join(" | ") + (said ? "" : ", unsaid");
    });
  });
  assert.deepEqual(shown, ["The model gave no answer.", "Cut off: the answer has reached its longest.", "Half a sen | Cut off: the answer has reached its longest.", "Whole."]);
});

test("nothing of an answer is read as HTML, and what models write of Markdown is", async (t) => {
  const page = await site.open(t, "blank.html");
  const html = (text) => page.evaluate(async (text) => {
    const { markdown } = await import("/pkg/widget/markdown.js");
    const place = document.createElement("div");
    place.append(markdown(text));
    return place.innerHTML;
  }, text);
  for (const [text, expected] of [
    ["a **b** *c* `d`", "<p>a <strong>b</strong> <em>c</em> <code>d</code></p>"],
    ["# T\n\n- x\n- y\n\n3. z", '<h4>T</h4><ul><li>x</li><li>y</li></ul><ol start="3"><li>z</li></ol>'],
    ["```js\nlet a = **1**;\n```\nend", "<pre><code>let a = **1**;</code></pre><p>end</p>"],
    ["``` unfinished\nx", "<pre><code>x</code></pre>"],
    ["<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"],
    ["[go](javascript:alert(1))", "<p>[go](javascript:alert(1))</p>"],
    ["[go](https://example.org/a)", '<p><a href="https://example.org/a" target="_blank" rel="noopener noreferrer nofollow">go</a></p>'],
    ["2 * 3 * 4", "<p>2 * 3 * 4</p>"],
  ]) assert.equal(await html(text), expected, text);
});

test("another tokenizer is another model", async (t) => {
  const model = server.route("models/tiny.gguf", routes.bytes(writeGguf(tinyLlama())));
  const page = await site.blank(t);
  const outcome = await page.evaluate(async (model) => {
    await import("./pkg/page-lm.js");
    const element = document.createElement("page-lm");
    element.setAttribute("model", model);
    document.body.append(element);
    await element.load();
    const before = element.ready;
    element.setAttribute("tokenizer", "models/absent.json");
    return { before, after: element.ready, ...(await attempt(() => element.load())) };
  }, model);
  assert.deepEqual([outcome.before, outcome.after, outcome.error?.code], [true, false, "http_status"]);
  assert.match(outcome.error.message, /absent.json/);
});

test("BM25 finds the passage that a question is about", async () => {
  const { Bm25, terms } = await import(path.join(PROJECT, "pkg/widget/bm25.js"));
  assert.deepEqual(terms("Öffnungszeiten: Dogs' ferries, class"), ["offnungszeiten", "dog", "ferry", "class"]);
  assert.deepEqual(terms("東京都"), ["東京", "京都"]);
  const index = new Bm25(["The museum is closed on Mondays.", "Tickets cost nine euros; students pay five.", "Ships and ropes, ships and charts: ships.", ""]);
  const best = (question) => index.rank(question)[0]?.index;
  assert.equal(best("What does a ticket cost?"), 1);
  assert.equal(best("Is it closed on a Monday?"), 0);
  assert.equal(best("ship"), 2);
  assert.equal(best("Where is the moon base?"), 0); // `is` and `the` are in one passage only
  assert.deepEqual(index.rank("quantum"), []);
  // The formula, by hand: N = 3, n = 1, f = 1, |d| = 3, mean = 2.
  const [{ score }] = new Bm25(["a b c", "d", "e f"]).rank("b");
  const idf = Math.log(1 + (3 - 1 + 0.5) / 1.5);
  assert.ok(Math.abs(score - (idf * 2.2) / (1 + 1.2 * (0.25 + 0.75 * (3 / 2)))) < 1e-12, `${score}`);
  assert.deepEqual(new Bm25([]).rank("a"), []);
});

test("the package has what the widget needs", () => {
  for (const file of ["page-lm.js", "page-lm.css", "page-lm.d.ts", "tokens.css"]) assert.ok(existsSync(path.join(PROJECT, "pkg", file)), file);
});
