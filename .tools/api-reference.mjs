// Writes pkg/docs/api.md from the package's types: every exported name with its comment and
// declaration, in the order of the files. `--check` only tells whether it is up to date.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PKG = path.join(path.dirname(fileURLToPath(import.meta.url)), "../pkg");
const OUT = path.join(PKG, "docs/api.md");

/** The reference as Markdown. */
export function reference() {
  const parts = [["pagelm.d.ts", "The library"], ["page-lm.d.ts", "The widget"]].map(
    ([file, title]) => `## ${title}\n\nFrom \`${file}\`.\n\n${files(file).flatMap((each) => declarations(readFileSync(path.join(PKG, each), "utf8"))).join("\n")}`,
  );
  return `# API reference\n\nMade from the types by \`node .tools/api-reference.mjs\`; do not edit.\n\n${parts.join("\n")}`;
}

/** The file, and behind it those that it exports all of. */
function files(main) {
  const text = readFileSync(path.join(PKG, main), "utf8");
  return [main, ...[...text.matchAll(/^export \* from "\.\/(.+)\.js";$/gm)].map(([, name]) => `${name}.d.ts`)];
}

/** A section for each exported name. */
function declarations(text) {
  const sections = [];
  const pattern = /(?:^\/\*\*(?<comment>(?:(?!\*\/)[\s\S])*)\*\/\n)?^export (?:(?:declare )?(?:class|interface) (?<block>\w+)[\s\S]*?^\}|(?:declare )?(?:type|function|const) (?<line>\w+)[\s\S]*?;)$/gm;
  for (const { groups, 0: whole } of text.matchAll(pattern)) {
    const comment = (groups.comment ?? "").replace(/^\s*\* ?/gm, "").trim();
    const code = whole.slice(whole.indexOf("export "));
    sections.push(`### ${groups.block ?? groups.line}\n\n${comment === "" ? "" : `${comment}\n\n`}\`\`\`ts\n${code}\n\`\`\`\n`);
  }
  return sections;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = reference();
  if (!process.argv.includes("--check")) writeFileSync(OUT, made);
  else if (readFileSync(OUT, "utf8") !== made) throw new Error("pkg/docs/api.md is not up to date: run node .tools/api-reference.mjs");
}
