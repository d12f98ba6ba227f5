// pagelm, as built in pkg/. Runs in the page.

import { PageLM } from "../../pkg/pagelm.js";

export const name = "pagelm";

let lm;

/** Loads from the network on the first call in a profile, from IndexedDB afterwards. */
export async function load({ url, threads, context, variant }) {
  lm = await PageLM.load(url, { threads, context, variant });
  return { variant: lm.info.variant, threads: lm.info.threads };
}

/** The prompt alone: one token is generated, because that is what ends the prefill. */
export async function prefill(prompt) {
  const start = performance.now();
  const result = await lm.completions.create({ prompt, max_tokens: 1, temperature: 0, cache_prompt: false });
  return { tokens: result.usage.prompt_tokens, ms: performance.now() - start, reported: result.timings };
}

/** `count` greedy tokens; the time is from the first token's arrival to the end. */
export async function decode(prompt, count) {
  const stream = await lm.completions.create({
    prompt,
    max_tokens: count,
    temperature: 0,
    ignore_eos: true,
    cache_prompt: false,
    stream: true,
  });
  let first;
  let last;
  for await (const chunk of stream) {
    first ??= performance.now();
    last = chunk;
  }
  return { tokens: last.usage.completion_tokens - 1, ms: performance.now() - first, reported: last.timings };
}

export async function unload() {
  await lm.unload();
  lm = undefined;
}
