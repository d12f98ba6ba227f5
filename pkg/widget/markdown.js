// What models write of Markdown, as elements: nothing of an answer is read as HTML.

import { build } from "./dom.js";

/** @returns {DocumentFragment} */
export function markdown(text) {
  const out = document.createDocumentFragment();
  let list = null;
  for (const block of blocks(text)) {
    if (block.kind !== "item") list = null;
    switch (block.kind) {
      case "code":
        out.append(build("pre", {}, build("code", {}, block.text)));
        break;
      case "heading":
        out.append(build("h4", {}, ...inline(block.text)));
        break;
      case "item": {
        const tag = block.ordered ? "ol" : "ul";
        if (list?.localName !== tag) {
          list = build(tag);
          if (block.ordered) list.start = block.number;
          out.append(list);
        }
        list.append(build("li", {}, ...inline(block.text)));
        break;
      }
      default:
        out.append(build("p", {}, ...inline(block.text)));
    }
  }
  return out;
}

function* blocks(text) {
  const lines = text.split("\n");
  let paragraph = [];
  for (let i = 0; i <= lines.length; i++) {
    const line = lines[i] ?? "";
    const fence = /^\s*(```+|~~~+)/.exec(line)?.[1];
    const heading = /^#{1,6}\s+(.*)/.exec(line)?.[1];
    const item = /^\s*(?:[-*+•]|(\d{1,4})[.)])\s+(.*)/.exec(line);
    if (paragraph.length > 0 && (line.trim() === "" || fence || heading !== undefined || item)) {
      yield { kind: "paragraph", text: paragraph.join("\n") };
      paragraph = [];
    }
    if (fence) {
      const end = lines.findIndex((other, j) => j > i && other.trim().startsWith(fence));
      yield { kind: "code", text: lines.slice(i + 1, end < 0 ? undefined : end).join("\n") };
      i = end < 0 ? lines.length : end;
    } else if (heading !== undefined) {
      yield { kind: "heading", text: heading };
    } else if (item) {
      yield { kind: "item", ordered: item[1] !== undefined, number: Number(item[1] ?? 1), text: item[2] };
    } else if (line.trim() !== "") {
      paragraph.push(line);
    }
  }
}

const INLINE = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*([^\s*](?:.*?[^\s*])?)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/su;

function inline(text) {
  const match = INLINE.exec(text);
  if (!match) return [text];
  const [whole, , code, strong, em, label, href] = match;
  const before = text.slice(0, match.index);
  const after = inline(text.slice(match.index + whole.length));
  let part;
  if (code !== undefined) part = build("code", {}, code);
  else if (strong !== undefined) part = build("strong", {}, ...inline(strong));
  else if (em !== undefined) part = build("em", {}, ...inline(em));
  else {
    part = build("a", {}, label);
    part.href = href;
    part.target = "_blank";
    part.rel = "noopener noreferrer nofollow";
  }
  return [before, part, ...after];
}
