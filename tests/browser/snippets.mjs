// What the README and the guides show as code, and which test runs it.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { PROJECT } from "./fixtures.mjs";

const guides = readdirSync(path.join(PROJECT, "pkg/docs")).filter((file) => file.endsWith(".md") && file !== "api.md");
/** The texts, from the project's folder; the API reference is made from the types, not written. */
export const TEXTS = ["README.md", "pkg/README.md", ...guides.map((file) => `pkg/docs/${file}`)];

/** For each language, the test that runs all of it. */
export const RUN_BY = {
  js: "docs.test.mjs",
  html: "docs.test.mjs",
  css: "docs.test.mjs",
  ts: "docs.test.mjs",
  http: "headers.test.mjs",
  sh: "commands.test.mjs",
};
/** The guide whose commands belong to the builds that are run there. */
export const BUILDS = "pkg/docs/bundlers.md";

export function read(file) {
  return readFileSync(path.join(PROJECT, file), "utf8");
}

/**
 * The fenced blocks of the texts in their order.
 * @returns {{ file: string, language: string, code: string }[]}
 */
export function snippets(texts = TEXTS) {
  return texts.flatMap((file) => [...read(file).matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ file, language, code })));
}

/** The commands of the texts, each on one line, without remarks. */
export function commands(texts = TEXTS) {
  return snippets(texts)
    .filter(({ language }) => language === "sh")
    .flatMap(({ file, code }) => code.replaceAll("\\\n", " ").split("\n").map((line) => ({ file, command: line.replace(/\s+#.*$/, "").replace(/\s+/g, " ").trim() })))
    .filter(({ command }) => command !== "");
}
