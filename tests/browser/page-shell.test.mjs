// The app as an app: installable, without a network, updated in one piece, fed by
// what other apps share.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { LOADED, QUESTION, ask, askAndWait, assertText, button, lastAnswer, loaded, openLoaded, question, ready, set, until } from "./app.mjs";
import { DOCROOT, REAL_MODEL } from "./fixtures.mjs";
import { complaints, needsRealModel, openSite } from "./harness.mjs";

describe("the installed app", needsRealModel(), async () => {
  // A plain server, below a path: what a page of a project has.
  const site = await openSite({ isolated: false, prefix: "/~someone/chat/", onDisk: true });
  const { server } = site;
  const shell = (page) => page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    const kept = [];
    for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) kept.push(url);
    return { scope: registration.scope, kept, caches: await caches.keys() };
  });

  test("is installable, with all icons of the sizes that it names", async (t) => {
    const page = await openLoaded(site, t);
    const session = await page.context().newCDPSession(page);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    // A private window cannot install anything, and this one may count as such.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
    const manifest = JSON.parse(readFileSync(path.join(DOCROOT, "manifest.webmanifest"), "utf8"));
    assert.ok(manifest.shortcuts.length > 0 && manifest.share_target);
    for (const { src, sizes, type } of manifest.icons) {
      if (type !== "image/png") continue;
      const png = readFileSync(path.join(DOCROOT, src));
      assert.equal(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`, sizes, src);
    }
    // Its shortcuts lead where they say.
    const [begin, inspect] = manifest.shortcuts.map(({ url }) => server.url(url.replace("./", "")));
    await page.goto(inspect);
    await page.getByRole("complementary", { name: "Inspect" }).waitFor(LOADED);
    await page.goto(begin);
    await loaded(page);
    assert.equal(await page.getByRole("article").count(), 0);
    assert.deepEqual(complaints(page), []);
  });

  test("starts and answers without a network, for its own scope alone", async (t) => {
    const page = await openLoaded(site, t);
    await until(async () => (await shell(page)).kept.some((url) => url.endsWith(".wasm")), "the binary is not kept");
    const { scope, kept } = await shell(page);
    assert.equal(scope, server.url(""));
    assert.ok(kept.every((url) => url.startsWith(scope)), "something of another scope is kept");
    assert.ok(!kept.some((url) => url.endsWith(".gguf")), "the model is kept twice");
    await server.stop();
    t.after(() => server.start());
    await page.goto("about:blank");
    await page.goto(server.url(""));
    await ready(page).waitFor(LOADED);
    assert.ok(await page.evaluate(() => crossOriginIsolated));
    assert.match(await askAndWait(page, QUESTION), /Paris/);
  });

  test("an update waits for the answer, and keeps conversations and weights", async (t) => {
    const page = await openLoaded(site, t);
    await set(page, { "Longest answer, in tokens": 2000 });
    const before = server.count(REAL_MODEL);
    serveVersion("Ask me about the new version.");
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
    await assertText(page, "A new version is here.", LOADED);
    await ask(page, "Tell me a very long story about the sea.");
    await until(async () => (await lastAnswer(page)).length > 50, "no text arrives");
    await page.evaluate(() => (globalThis.sameDocument = true));
    await button(page, "Update").click();
    await page.waitForTimeout(300);
    assert.ok(await page.evaluate(() => globalThis.sameDocument), "the page was loaded again in the middle of an answer");
    assert.ok(await page.evaluate(async () => (await navigator.serviceWorker.ready).waiting !== null), "the new version has taken over in the middle of an answer");
    const written = await lastAnswer(page);
    await button(page, "Stop").click();
    await page.waitForFunction(() => !globalThis.sameDocument, null, LOADED);
    await loaded(page);
    assert.ok((await lastAnswer(page)).startsWith(written.slice(0, 50)), "the answer is gone");
    await button(page, "New chat").click();
    await assertText(page, "Ask me about the new version.");
    assert.equal(server.count(REAL_MODEL), before, "the model was fetched again");
    assert.equal((await shell(page)).caches.filter((name) => name.startsWith("pagelm ")).length, 1, "the old version is still there");
  });

  test("a version that is there in part only is not taken", async (t) => {
    const page = await openLoaded(site, t);
    serveVersion("Half a version.", { withFile: false });
    const state = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const worker = registration.installing ?? registration.waiting;
      if (worker?.state === "installing") await new Promise((resolve) => worker.addEventListener("statechange", resolve));
      return worker?.state;
    });
    assert.equal(state, "redundant");
    await page.reload();
    await loaded(page);
    await assertText(page, "Ask me about the new version.");
  });

  test("takes text and files that another app shares", async (t) => {
    const page = await openLoaded(site, t);
    await page.evaluate((action) => {
      const form = document.createElement("form");
      Object.assign(form, { action, method: "post", enctype: "multipart/form-data" });
      for (const [name, value] of [["title", "A title"], ["text", "What is this?"]]) {
        const field = document.createElement("input");
        Object.assign(field, { name, value });
        form.append(field);
      }
      const file = document.createElement("input");
      Object.assign(file, { type: "file", name: "files" });
      const transfer = new DataTransfer();
      transfer.items.add(new File(["The secret word is zebra."], "note.txt", { type: "text/plain" }));
      file.files = transfer.files;
      form.append(file);
      document.body.append(form);
      form.submit();
    }, server.url("share"));
    await until(async () => (await question(page).inputValue().catch(() => "")) === "A title\nWhat is this?", "the text has not come");
    await page.getByRole("button", { name: /^Show note\.txt/ }).waitFor(LOADED);
    // What is not sent is still there after a reload.
    await page.reload();
    await loaded(page);
    assert.equal(await question(page).inputValue(), "A title\nWhat is this?");
  });

  /** Serves a version with another example; without its file, only the list that promises it. */
  function serveVersion(example, { withFile = true } = {}) {
    const file = Buffer.from(readFileSync(path.join(DOCROOT, "lib/examples.js"), "utf8").replace(/"Write a short poem[^"]*"/, JSON.stringify(example)));
    const list = readFileSync(path.join(DOCROOT, "shell-files.js"), "utf8");
    const hash = createHash("sha256").update(file).digest("base64");
    const changed = list.replace(/("lib\/examples\.js": ")[^"]*/, `$1${hash}`).replace(/("version": ")[^"]*/, `$1${hash.slice(0, 12)}`);
    assert.notEqual(changed, list);
    serveScript("shell-files.js", Buffer.from(changed));
    if (withFile) serveScript("lib/examples.js", file);
  }

  function serveScript(file, body) {
    server.route(file, (_request, response) => {
      response.writeHead(200, { "Content-Type": "text/javascript; charset=utf-8", "Content-Length": body.length, "Cache-Control": "no-cache" });
      response.end(body);
    });
  }
});
