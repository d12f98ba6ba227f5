// Parts of the chat app by themselves, without a model: what they do when things go
// wrong, or come in another order.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { question } from "./app.mjs";
import { DOCROOT } from "./fixtures.mjs";
import { openSite } from "./harness.mjs";

describe("parts of the chat app", async () => {
  const site = await openSite();

  test("an answer that is asked for again shows nothing of the failed one", async (t) => {
    const page = await site.open(t, "blank.html");
    const shown = await page.evaluate(async () => {
      await import("/views/message.js");
      const { Run } = await import("/lib/run.js");
      const message = { id: "1", role: "assistant", text: "", reasoning: "An old thought.", state: "failed" };
      const element = document.createElement("pl-message");
      element.show(message, [message]);
      document.body.append(element);
      element.end(new Error("It failed."));
      const before = [element.querySelectorAll("pl-problem").length, element.textContent.includes("An old thought.")];
      new Run({}, message);
      element.begin("Reading…");
      element.write({ text: "", reasoning: "A new thought." });
      await new Promise((resolve) => setTimeout(resolve, 200));
      const { textContent } = element;
      return { before, problems: element.querySelectorAll("pl-problem").length, old: textContent.includes("An old thought."), now: textContent.includes("A new thought.") };
    });
    assert.deepEqual(shown, { before: [1, true], problems: 0, old: false, now: true });
  });

  test("a menu that is closed listens to nothing any more", async (t) => {
    const page = await site.open(t, "blank.html");
    const session = await page.context().newCDPSession(page);
    const listeners = async () => {
      const { result } = await session.send("Runtime.evaluate", { expression: "window" });
      return (await session.send("DOMDebugger.getEventListeners", { objectId: result.objectId })).listeners.filter(({ type }) => type === "resize").length;
    };
    await page.evaluate(async () => {
      const { openMenu } = await import("/views/menu.js");
      const button = document.createElement("button");
      document.body.append(button);
      for (let i = 0; i < 5; i++) {
        openMenu(button, [{ label: "One", act: () => {} }]);
        document.querySelector("[role=menuitem]").click();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    assert.equal(await listeners(), 0);
  });

  test("the page stays out of reach until nothing covers it", async (t) => {
    const page = await site.open(t, "");
    await page.setViewportSize({ width: 400, height: 800 });
    await page.getByRole("button", { name: "Inspect", exact: true }).click();
    await page.getByRole("heading", { name: "Inspect" }).waitFor();
    const inert = () => page.evaluate(() => document.querySelector("#page").inert);
    const states = [await inert()];
    for (const key of ["Control+B", "Control+B"]) {
      await page.keyboard.press(key);
      states.push(await inert());
    }
    await page.getByRole("button", { name: "Close Inspect" }).click();
    assert.deepEqual([...states, await inert()], [true, true, true, false]);
  });

  test("what is asked before the conversations are there is asked when they are", async (t) => {
    const page = await site.open(t, "blank.html");
    // A slow store: the page is there long before it.
    await page.addInitScript(() => {
      const open = indexedDB.open.bind(indexedDB);
      indexedDB.open = (...args) => {
        const request = open(...args);
        let heard;
        Object.defineProperty(request, "onsuccess", { set: (listener) => (heard = listener) });
        request.addEventListener("success", () => setTimeout(() => heard?.call(request), 1000));
        return request;
      };
    });
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(site.server.url(""));
    await page.evaluate(() => {
      for (const button of ["begin", "settings"]) document.getElementById(button).click();
      document.querySelector("[aria-label='All conversations']").click();
      const field = document.querySelector("#question");
      field.value = "Is anybody there?";
      field.form.requestSubmit();
    });
    await page.getByRole("dialog", { name: "Settings" }).waitFor();
    await page.getByText("Is anybody there?").first().waitFor();
    assert.deepEqual(errors, []);
  });

  test("a model that is chosen while the page asks about another stays chosen", async (t) => {
    const page = await site.open(t, "blank.html");
    site.server.route("models/late.gguf", async (_request, response) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      response.writeHead(200, { "Content-Length": 5 }).end();
    });
    const states = await page.evaluate(async () => {
      const { Host } = await import("/lib/host.js");
      const host = new Host();
      ({ PageLM: host.PageLM } = await import("/pkg/pagelm.js"));
      const states = [];
      host.addEventListener("state", () => states.push([host.state, host.model.name]));
      const model = (file) => ({ url: new URL(`/models/${file}`, location.href).href, name: file, short: file });
      const late = host.use(model("late.gguf"));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await host.use(model("soon.gguf"));
      await late;
      return states;
    });
    assert.deepEqual(states, [["asking", "soon.gguf"]]);
  });
});

test("a service worker that comes late does not take a page away that is in use", async (t) => {
  const site = await openSite({ isolated: false });
  // On a slow device it takes longer to install than the page waits for it.
  const slow = 'self.addEventListener("install", (event) => event.waitUntil(new Promise((resolve) => setTimeout(resolve, 4000))));\n';
  const script = slow + readFileSync(path.join(DOCROOT, "sw.js"), "utf8");
  site.server.route("sw.js", (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/javascript; charset=utf-8", "Content-Length": Buffer.byteLength(script) });
    response.end(script);
  });
  const page = await site.open(t, "");
  await page.evaluate(() => (globalThis.sameDocument = true));
  await question(page).fill("Why is");
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null, null, { timeout: 20_000 });
  await page.waitForTimeout(500);
  assert.ok(await page.evaluate(() => globalThis.sameDocument), "the page was loaded again");
});
