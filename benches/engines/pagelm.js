// pagelm, as built in pkg/. Runs in the page; ../tab.mjs says what the three
// functions are.

import { PageLM } from "../../pkg/pagelm.js";

// Without drafts, which the peers have not: they would win or lose by the text.
const REQUEST = { temperature: 0, cache_prompt: false, prompt_lookup: false };

let lm;

/** Loads from the network on the first call in a profile, from the store afterwards. */
export async function load({ url, threads, context, variant, kvCache }, storage) {
  lm = await PageLM.load(url, { threads, context, variant, kv_cache: kvCache, storage });
  return { variant: lm.info.variant, threads: lm.info.threads };
}

/** The prompt alone: one token is generated, because that is what ends the prefill. */
export async function prefill(prompt) {
  const start = performance.now();
  const { usage } = await lm.completions.create({ ...REQUEST, prompt, max_tokens: 1 });
  return { tokens: usage.prompt_tokens, ms: performance.now() - start };
}

/** `count` greedy tokens; the time is from the first token's arrival to the end. */
export async function decode(prompt, count) {
  const stream = await lm.completions.create({ ...REQUEST, prompt, max_tokens: count, ignore_eos: true, stream: true });
  let first;
  let last;
  for await (const chunk of stream) {
    first ??= performance.now();
    last = chunk;
  }
  return { tokens: last.usage.completion_tokens - 1, ms: performance.now() - first };
}
