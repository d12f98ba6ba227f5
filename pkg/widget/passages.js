// The text of the page that answers are grounded in, cut into passages.

import { Bm25 } from "./bm25.js";

/** Words of a passage, about. */
const LENGTH = 90;
const BLOCKS = "h1,h2,h3,h4,h5,h6,p,li,dt,dd,blockquote,pre,figcaption,td,th,summary";
const SKIPPED = "page-lm,script,style,noscript,template,nav,[hidden],[aria-hidden=true]";

/**
 * The passages of what `selector` finds.
 *
 * @returns {{ heading: string, text: string, element: Element, anchor: string | null }[]}
 */
export function passages(selector, root = document) {
  const all = [];
  for (const part of root.querySelectorAll(selector)) all.push(...passagesOf(part));
  return all;
}

function passagesOf(part) {
  const all = [];
  let heading = "";
  let anchor = part.id || null;
  let open = null;
  const close = () => {
    if (open?.text) all.push(open);
    open = null;
  };
  const blocks = [...part.querySelectorAll(BLOCKS)].filter((block) => !block.closest(SKIPPED) && !innermostOf(block, part));
  for (const block of blocks.length > 0 ? blocks : [part]) {
    const text = textOf(block);
    if (text === "") continue;
    if (/^H[1-6]$/.test(block.tagName)) {
      close();
      heading = text;
      anchor = anchorOf(block) ?? anchor;
      continue;
    }
    for (const piece of pieces(text)) {
      if (open && words(open.text) + words(piece) > LENGTH * 1.4) close();
      if (open) open.text += `\n${piece}`;
      else open = { heading, text: piece, element: block, anchor: block.id || anchor };
    }
  }
  close();
  return all;
}

/** Whether a block lies in another that has been taken with all its text. */
function innermostOf(block, part) {
  const outer = block.parentElement?.closest("p,li,dd,blockquote,td");
  return Boolean(outer && part.contains(outer) && outer !== part);
}

function anchorOf(heading) {
  return heading.id || heading.querySelector("[id]")?.id || heading.closest("section[id],article[id]")?.id || null;
}

function textOf(element) {
  return (element.textContent ?? "").replace(/\s+/g, " ").trim();
}

function words(text) {
  return text.split(/\s+/).length;
}

/** A long block by its sentences. */
function pieces(text) {
  if (words(text) <= LENGTH * 1.4) return [text];
  const sentences = text.match(/[^.!?。！？]+[.!?。！？]*\s*/gu) ?? [text];
  const all = [];
  for (const sentence of sentences) {
    if (all.length > 0 && words(all.at(-1)) + words(sentence) <= LENGTH) all[all.length - 1] += sentence;
    else all.push(sentence);
  }
  return all.map((piece) => piece.trim());
}

/**
 * The passages that a question is about, the best first, as far as they fit.
 *
 * @param {(text: string) => Promise<number>} measure tokens of a text
 * @param {number} budget tokens there is room for
 */
export async function relevant(all, question, measure, budget) {
  const index = new Bm25(all.map(({ heading, text }) => `${heading} ${heading} ${text}`));
  const chosen = [];
  let used = 0;
  const [best] = index.rank(question);
  for (const { index: i, score } of index.rank(question).slice(0, 8)) {
    if (score < best.score / 4) break;
    const tokens = await measure(quote(all[i], chosen.length));
    if (used + tokens > budget) {
      if (chosen.length > 0) break;
      // Even the best is too long: as much of it as fits.
      const text = all[i].text.slice(0, Math.floor((all[i].text.length * budget) / tokens));
      chosen.push({ ...all[i], text });
      break;
    }
    used += tokens;
    chosen.push(all[i]);
  }
  return chosen;
}

function quote({ heading, text }, i) {
  return `[${i + 1}] ${heading ? `${heading}: ` : ""}${text}\n\n`;
}

/** The question with the passages to answer it from. */
export function groundedQuestion(question, chosen, title) {
  if (chosen.length === 0) return question;
  return `From the page "${title}":\n\n${chosen.map(quote).join("")}Answer from this text, briefly. If it does not say, say so.\n\nQuestion: ${question}`;
}
