// How the widget, the example pages and the measuring page look, and axe-core's rules there.

import { describe, test } from "node:test";
import { LOADED } from "./app.mjs";
import { REAL_MODEL, REAL_MODEL_FILE } from "./fixtures.mjs";
import { frameworks } from "./frameworks.mjs";
import { needsRealModel, openSite } from "./harness.mjs";
import { OVERLAID, assertClean, look } from "./look.mjs";
import * as routes from "./routes.mjs";

describe("looks beside the app", needsRealModel(), async () => {
  // Most pages with a widget are on hosts that set no headers; the page that measures is the app's.
  const site = await openSite({ isolated: false, cors: true, onDisk: true, args: OVERLAID });
  const app = await openSite({ onDisk: true, args: OVERLAID });

  test("the widget in each state", async (t) => {
    const page = await site.open(t, "examples/plain/index.html");
    const widget = page.locator("page-lm");
    const launcher = widget.locator(".launcher button");
    await launcher.waitFor();
    await look(page, "widget-closed");
    await launcher.click();
    await widget.getByText(/98 MB/).first().waitFor();
    await look(page, "widget-consent");

    site.server.route(REAL_MODEL, routes.trickleFile(REAL_MODEL_FILE, { piece: 2 ** 18, ms: 100 }));
    await widget.locator("[part~=agree]").click();
    await widget.getByText(/^Downloading/).waitFor();
    await look(page, "widget-loading");
    site.server.unroute(REAL_MODEL);
    await widget.getByRole("button", { name: "Cancel" }).click();
    await widget.locator("[part~=agree]").click();
    await page.waitForFunction(() => document.querySelector("page-lm").ready, null, LOADED);
    await look(page, "widget-ready");
    await widget.evaluate((element) => element.ask("When is the museum closed, and what do students pay?"));
    await widget.getByRole("textbox").fill("A question that is longer than one line of this small panel is");
    await look(page, "widget-answer");
    await widget.evaluate((element) => (element.setAttribute("model", "../../models/absent.gguf"), element.clear()));
    await widget.locator("[part~=agree]").click();
    await widget.getByRole("alert").waitFor();
    await look(page, "widget-error");
    // That there is no such file is what was looked at.
    page.complaints.length = 0;
    assertClean(page);
  });

  test("the other examples, and their list", async (t) => {
    await frameworks(site.profile.context);
    for (const example of ["", "docs/", "blog/", "csp/", "cross-origin/", "react/", "vue/"]) {
      const page = await site.open(t, `examples/${example}index.html`);
      if (example !== "") await page.locator("page-lm").first().evaluate(({ updateComplete }) => updateComplete);
      await look(page, `example-${example.slice(0, -1) || "list"}`);
      assertClean(page);
      await page.close();
    }
  });

  test("the page that measures", async (t) => {
    const page = await app.open(t, "bench.html?tokens=400");
    const begin = page.getByRole("button", { name: "Measure", exact: true });
    await begin.or(page.getByRole("button", { name: /^Download/ })).first().waitFor();
    await look(page, "bench");
    await page.getByRole("button", { name: /^(Measure|Download)/ }).first().click();
    await page.getByRole("heading", { name: "Measuring" }).waitFor(LOADED);
    await look(page, "bench-measuring", { axe: false });
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.goto(app.server.url("bench.html?tokens=16"));
    await begin.click();
    await page.getByRole("heading", { name: "Measured on this device" }).waitFor(LOADED);
    await look(page, "bench-result", { fullPage: true });
    assertClean(page);
  });
});
