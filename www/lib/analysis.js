// What the model makes of a text, token by token: the numbers behind Inspect.

import { tokensOf } from "./engine.js";

/** The most probable tokens that are shown at each place. */
const ALTERNATIVES = 8;
/** Those that a choice is shown among; the others count together. */
const CANDIDATES = 1000;

/**
 * @typedef {object} Token
 * @property {number} id
 * @property {string} name       its text, or `bytes:…` where it is not whole characters
 * @property {number | null} logprob ln P(token | all before); null for the first of all
 * @property {{ id: number, logprob: number, name: string }[]} top the most probable at its place
 *
 * @typedef {object} Analysis
 * @property {Token[]} tokens    of prompt and answer
 * @property {number} prompt     how many of them are the prompt
 */

/**
 * An answer with its prompt, read by the model once more: what it predicted at each place.
 *
 * @param {object} lm
 * @param {object[]} messages of the prompt
 * @param {string} text       the answer
 * @returns {Promise<Analysis>}
 */
export async function analyse(lm, messages, text, { signal, onProgress } = {}) {
  const [prompt, all] = await Promise.all([tokensOf(lm, messages), tokensOf(lm, messages, text)]);
  return { tokens: await predicted(lm, all, { signal, onProgress }), prompt: prompt.length };
}

/** @returns {Promise<Token[]>} of a sequence of tokens */
async function predicted(lm, ids, options) {
  const { choices } = await lm.completions.create({ prompt: ids, max_tokens: 0, echo: true, logprobs: ALTERNATIVES, temperature: 0 }, options);
  const { tokens, token_logprobs, token_ids, top_logprobs, top_token_ids } = choices[0].logprobs;
  return Promise.all(
    token_ids.map(async (id, i) => ({ id, name: tokens[i], logprob: token_logprobs[i], top: await named(lm, top_token_ids[i] ?? [], top_logprobs[i]) })),
  );
}

/** Names are those of the list by name, unless two tokens share one. */
async function named(lm, top, byName) {
  const names = Object.keys(byName ?? {});
  const known = names.length === top.length && top.every(([, logprob], i) => byName[names[i]] === logprob);
  return Promise.all(top.map(async ([id, logprob], i) => ({ id, logprob, name: known ? names[i] : await lm.detokenize([id]) })));
}

/**
 * The most probable tokens after these.
 * @returns {Promise<{ candidates: import("./distribution.js").Candidate[], name: (id: number) => Promise<string> }>}
 */
export async function candidatesAfter(lm, ids, { signal } = {}) {
  const { choices } = await lm.completions.create({ prompt: ids, max_tokens: 1, logprobs: Math.min(CANDIDATES, lm.info.vocabulary), temperature: 0 }, { signal });
  const [top] = choices[0].logprobs.top_token_ids;
  const names = new Map();
  const name = async (id) => {
    if (!names.has(id)) names.set(id, await lm.detokenize([id]));
    return names.get(id);
  };
  return { candidates: top.map(([id, logprob]) => ({ id, logprob })), name };
}

/**
 * A sentence as a model sees it in training: what comes before, and what it has to predict.
 *
 * @returns {Promise<{ pairs: { context: string, target: string, id: number, loss: number }[], nll: number, perplexity: number }>}
 */
export async function pairsOf(lm, text) {
  const { tokens, logprobs, nll, perplexity } = await lm.score(text);
  const names = await Promise.all(tokens.map((id) => lm.detokenize([id])));
  const pairs = [];
  for (let i = 1; i < tokens.length; i++) {
    pairs.push({ context: names.slice(0, i).join(""), target: names[i], id: tokens[i], loss: -logprobs[i] });
  }
  return { pairs, nll, perplexity };
}

/** Mean negative log-likelihood of tokens that have others before them, and what it is to the power of e. */
export function lossOf(tokens) {
  const losses = tokens.filter(({ logprob }) => logprob !== null).map(({ logprob }) => -logprob);
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  return { mean, perplexity: Math.exp(mean), count: losses.length };
}

/**
 * Bytes that the KV cache takes for so many positions, by its formula:
 * 2 (keys and values) × layers × heads × head_dim × bytes of a number × positions.
 */
export function kvBytes({ kv_shape: { layers, heads, head_dim }, kv_cache }, positions) {
  // q8 has a scale in f32 for each head.
  const row = { f32: 4 * head_dim, f16: 2 * head_dim, q8: head_dim + 4 }[kv_cache];
  return 2 * layers * heads * row * positions;
}
