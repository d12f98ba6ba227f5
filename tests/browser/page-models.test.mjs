// Which model answers: one that the site offers, any by its address, from disk or dropped, and
// what is stored of them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { LOADED, QUESTION, askAndWait, assertText, button, loaded, modelButton, openLoaded, ready, until } from "./app.mjs";
import { REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { padded } from "./gguf.mjs";
import { complaints, needsRealModel, openSite, ready as helpersReady } from "./harness.mjs";
import * as routes from "./routes.mjs";

const NAME = "SmolLM2-135M-Instruct";
const RECORD = 2 ** 24;

describe("models", needsRealModel(), async () => {
  const site = await openSite({ onDisk: true });
  const { server } = site;
  const downloads = () => server.requests(REAL_MODEL).filter(({ method }) => method === "GET").length;
  const choose = async (page, files) => {
    const chooser = page.waitForEvent("filechooser");
    await button(page, "Open a file of this device").click();
    await (await chooser).setFiles(files);
  };

  test("a file of this device answers, and one that is no model says so", async (t) => {
    const page = await openLoaded(site, t);
    await modelButton(page).click();
    await assertText(page, /Needs about 19(8\.9|7\.\d) MB of memory/);
    await choose(page, { name: "tiny.gguf", mimeType: "", buffer: Buffer.from("this is no model, though its name says so") });
    await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
    await assertText(page, "gguf_bad_magic");
    await button(page, "Choose another model").click();
    const before = downloads();
    await choose(page, REAL_MODEL_FILE);
    await ready(page).waitFor(LOADED);
    assert.match(await askAndWait(page, QUESTION), /Paris/);
    assert.equal(downloads(), before, "the model was fetched");
    await modelButton(page).click();
    const card = page.getByRole("listitem").filter({ has: page.getByText("in use") });
    await card.getByText(/a file of this device/).waitFor();
    await button(page, `Use ${NAME}`).click();
    await ready(page).waitFor(LOADED);
    assert.deepEqual(complaints(page), []);
  });

  test("a model that is dropped answers, and a text that is dropped is asked about", async (t) => {
    const page = await openLoaded(site, t);
    await drop(page, { name: "notes.txt", text: "The secret word is zebra." });
    await page.getByRole("button", { name: /^Show notes\.txt/ }).waitFor();
    await button(page, "Remove notes.txt").click();
    await drop(page, { name: "Dropped-model.gguf", address: server.url(REAL_MODEL) });
    await page.getByRole("button", { name: "Model: Dropped" }).waitFor();
    await ready(page).waitFor(LOADED);
    assert.match(await askAndWait(page, QUESTION), /Paris/);
    assert.deepEqual(complaints(page), []);
  });

  test("what is no address, and an address that leads to no model, end in a sentence and a way on", async (t) => {
    const page = await openLoaded(site, t);
    await modelButton(page).click();
    const field = page.getByLabel("Any other GGUF model, by its address");
    await field.fill("http://");
    await button(page, "Open").click();
    await assertText(page, /is not an address/);
    const body = readFileSync(REAL_MODEL_FILE);
    const slow = new routes.FaultyFile(body, { plan: () => ({ piece: 2 ** 18, ms: 20 }) });
    const other = server.route("models/other.gguf", (request, response) => (request.method === "HEAD" ? routes.bytes(body) : slow.handler)(request, response));
    await field.fill(other);
    await field.press("Enter");
    await button(page, "Check first whether it runs here").click();
    await assertText(page, /^llama, 135 M parameters, Q4_1$/);
    assert.ok(slow.sent < 2e7, `${slow.sent} bytes were fetched to look at the header`);
    await modelButton(page).click();
    await field.fill(server.route("models/page.gguf", routes.htmlPage()));
    await field.press("Enter");
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor(LOADED);
    await assertText(page, "html_instead_of_model");
    await button(page, "Choose another model").click();
    await page.getByRole("dialog").getByRole("button", { name: `Use ${NAME}` }).click();
    await ready(page).waitFor(LOADED);
  });

  test("a damaged stored copy mends itself", async (t) => {
    const helper = await site.open(t, "helpers.html");
    await helpersReady(helper);
    await helper.evaluate(async () => {
      const records = (await storedRecords()).filter(({ length }) => length > 2 ** 19);
      await damage(records[1], "flip a bit");
    });
    await helper.close();
    const before = downloads();
    const page = await openLoaded(site, t);
    assert.equal(downloads(), before + 1, "the damage was not mended, or not by one request");
    assert.match(await askAndWait(page, QUESTION), /Paris/);
  });

  test("what is stored is deleted, and then asked for again", async (t) => {
    const page = await openLoaded(site, t);
    await modelButton(page).click();
    await assertText(page, /stored in this browser/);
    await button(page, `Delete the stored copy of ${NAME}`).click();
    await assertText(page, /not downloaded/);
    await button(page, "Close").click();
    // What is loaded goes on working.
    assert.match(await askAndWait(page, QUESTION), /Paris/);
    await page.reload();
    await button(page, "Download 98.4 MB").waitFor();
    assert.deepEqual(complaints(page), []);
  });

  test("record files that `pagelm pack` has made: named and sized by their pagelm.json", async (t) => {
    const body = padded(3);
    const records = [body.subarray(0, RECORD), body.subarray(RECORD)];
    const files = records.map((bytes, i) => ({ path: `${i}.bin`, bytes: bytes.length, records: [digest(bytes)] }));
    const manifest = { pagelm: 1, name: "Padded-model", license: "CC0-1.0", bytes: body.length, record_bytes: RECORD, parts: [{ sha256: digest(body), files }] };
    records.forEach((bytes, i) => server.route(`models/packed/${i}.bin`, routes.bytes(bytes)));
    server.route("models/packed/pagelm.json", routes.bytes(Buffer.from(JSON.stringify(manifest))));
    const page = await site.open(t, "?model=models/packed/pagelm.json");
    await assertText(page, "Padded-model");
    await assertText(page, "CC0-1.0");
    await page.getByRole("button", { name: /^Download 25\.\d MB/ }).click();
    await page.getByRole("button", { name: "Model: Padded" }).waitFor();
    await ready(page).waitFor(LOADED);
    assert.deepEqual(complaints(page), []);
  });
});

describe("no room to store a model", async () => {
  // The quota can be narrowed in a profile on disk only.
  const site = await openSite({ onDisk: true });
  const { server } = site;
  const [first, second] = [1, 2].map((n) => server.route(`models/padded-${n}.gguf`, routes.bytes(padded(n))));

  test("the reader chooses what may go, or runs the model without storing it", async (t) => {
    const page = await site.open(t, `?model=${encodeURIComponent(first)}`);
    // Chromium looks at the quota when it begins to write, and then not again for a while.
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 40 * 2 ** 20 });
    await loaded(page);
    const dialog = page.getByRole("dialog", { name: "Not enough room" });
    const begin = async () => {
      await page.goto(server.url(`?model=${encodeURIComponent(second)}`));
      await page.getByRole("button", { name: /^Download/ }).click();
      await dialog.waitFor(LOADED);
    };

    await begin();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: "The model could not be loaded" }).waitFor();
    await assertText(page, "storage_full");
    await button(page, "Run without storing").waitFor();

    await begin();
    await dialog.getByRole("button", { name: "Run without storing" }).click();
    await ready(page).waitFor(LOADED);

    await begin();
    const remove = dialog.getByRole("button", { name: "Delete and store" });
    assert.ok(await remove.isDisabled(), "nothing is chosen yet");
    await dialog.getByRole("checkbox", { name: /padded-1/ }).check();
    await remove.click();
    await ready(page).waitFor(LOADED);
    await modelButton(page).click();
    await assertText(page, /stored in this browser/);
    assert.equal(await page.getByText("padded-1").count(), 0, "what was chosen is still there");
    assert.deepEqual(complaints(page), []);
  });
});

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Drops a file, of this text or of what is at this address, on the page. */
async function drop(page, file) {
  const transfer = await page.evaluateHandle(async ({ name, text, address }) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text ?? (await (await fetch(address)).blob())], name));
    return transfer;
  }, file);
  for (const type of ["dragenter", "dragover"]) await page.dispatchEvent("body", type, { dataTransfer: transfer });
  await page.getByText(/^Drop a text file/).waitFor();
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await until(async () => !(await page.getByText(/^Drop a text file/).isVisible()), "the hint stays");
}
