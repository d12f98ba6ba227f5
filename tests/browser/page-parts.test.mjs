// Parts of the chat app by themselves, without a model: what they do when things go
// wrong, or come in another order.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openSite } from "./harness.mjs";

describe("parts of the chat app", async () => {
  const site = await openSite({ contextOptions: { serviceWorkers: "block" } });

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
});
