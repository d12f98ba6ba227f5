// Several answers to one prompt. Each is a request of its own, asked when the one before
// has ended, so that others get their turn in between; the prompt is cached.

import { badRequest } from "./errors.js";

/** As many as OpenAI's API gives. */
const MOST = 128;

/** The request of each choice; with a seed, each has its own. */
export function choices({ n, ...request }) {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST) throw badRequest(`\`n\` is ${n}, but must be a whole number from 1 to ${MOST}`);
  return Array.from({ length: count }, (_, i) => (Number.isInteger(request.seed) ? { ...request, seed: request.seed + i } : request));
}

/** What all choices took together; the prompt counts once. */
export function total(all) {
  const [{ usage: first }] = all;
  const completion_tokens = sum(all.map(({ usage }) => usage.completion_tokens));
  const timings = {};
  for (const name of Object.keys(all[0].timings)) timings[name] = sum(all.map(({ timings }) => timings[name]));
  return {
    usage: {
      prompt_tokens: first.prompt_tokens,
      completion_tokens,
      total_tokens: first.prompt_tokens + completion_tokens,
      prompt_tokens_details: { cached_tokens: first.cached_tokens },
    },
    timings,
  };
}

function sum(values) {
  return values.reduce((a, b) => a + b, 0);
}
