// Text files as context: read, and cut to what the model's context has room for.

/** More than any model here could read. */
const MAX_BYTES = 4e6;
/** Tokens that a file leaves for the question, the template and an answer. */
const RESERVE = 320;
/** At most this share of the context goes to one file. */
const SHARE = 0.75;

/** @throws {Error} with a sentence, if the file holds no text */
export async function readText(file) {
  if (file.size > MAX_BYTES) throw new Error(`${file.name} is too long to be read at once. Cut it into parts below 4 MB.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.includes("\0")) throw new TypeError("binary");
    return text.replaceAll("\r\n", "\n");
  } catch {
    throw new Error(`${file.name} is not a text file. Text, Markdown, code and data files can be read here.`);
  }
}

/**
 * As much of a text as there is room for.
 *
 * @param {object} lm
 * @param {number} used tokens of the conversation so far
 * @returns {Promise<import("./talk.js").Attachment>}
 */
export async function cutToFit(lm, name, text, used) {
  const { context } = lm.info;
  const room = Math.max(0, Math.min(Math.floor(context * SHARE), context - used - RESERVE));
  // Tokenising megabytes to keep pages would take seconds: no token is longer than this on average.
  const most = text.slice(0, room * 24);
  const tokens = await lm.tokenize(most);
  const total = most.length === text.length ? tokens.length : Math.round((tokens.length * text.length) / most.length);
  if (most.length === text.length && tokens.length <= room) return { name, text, kept: total, total };
  const kept = Math.min(room, tokens.length);
  // The last character may be cut in two.
  const part = (await lm.detokenize(tokens.slice(0, kept))).replace(/\uFFFD+$/, "");
  return { name, text: part, kept, total };
}

/** What the model is given for a question with its files. */
export function withFiles({ text, files = [] }) {
  const parts = files.map((file) => `File ${file.name}${file.kept < file.total ? " (its beginning)" : ""}:\n\n${file.text.trim()}`);
  return [...parts, text].filter(Boolean).join("\n\n---\n\n");
}
