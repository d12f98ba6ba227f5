// Makes the README's pictures from the running app: node tests/browser/readme-picture.mjs

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { answerEnds, ask, button, loaded, set } from "./app.mjs";
import { launchProfile } from "./chromium.mjs";
import { DOCROOT, PROJECT } from "./fixtures.mjs";
import { OVERLAID } from "./look.mjs";
import { serve } from "./server.mjs";

const FOLDER = path.join(PROJECT, "pkg/docs/pictures");
const server = await serve({ root: DOCROOT, isolated: true });
const { context, close } = await launchProfile({ args: OVERLAID });
const page = await context.newPage();
await page.setViewportSize({ width: 1280, height: 760 });
await page.emulateMedia({ reducedMotion: "reduce" });
await page.goto(server.url());
await loaded(page);
await set(page, { Temperature: 0, "Longest answer, in tokens": 120 });
await ask(page, "Explain to a ten-year-old why the sky is blue.");
await answerEnds(page);
await button(page, "Inspect").last().click();
await page.getByText("Perplexity").waitFor({ timeout: 20_000 });
mkdirSync(FOLDER, { recursive: true });
const session = await context.newCDPSession(page);
for (const colorScheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme });
  await page.waitForTimeout(200);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
  const file = path.join(FOLDER, `chat-${colorScheme}.webp`);
  writeFileSync(file, Buffer.from(data, "base64"));
  console.log(path.relative(PROJECT, file), `${Math.round((data.length * 3) / 4 / 1000)} kB`);
}
await close();
await server.stop();
