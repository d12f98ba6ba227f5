// Prompts whose length in tokens is known without a tokenizer: each of these
// words, with the space before it, is one token in the usual BPE vocabularies.

const WORDS = "time people water house world school family number place country night point week work story money book eye side car".split(" ");

/** About `tokens` tokens of words; another `seed` begins otherwise, so that no prompt cache helps. */
export function wordPrompt(tokens, seed) {
  let state = seed * 7919 + 12345;
  const words = [];
  for (let i = 0; i < tokens; i++) {
    state = (state * 48271 + 11) % 0x7fffffff;
    words.push(WORDS[state % WORDS.length]);
  }
  return words.map((word) => ` ${word}`).join("");
}

/** A short beginning of a story. */
export function shortPrompt(seed) {
  const place = WORDS[seed % WORDS.length];
  return `The ${place} was not what it had been. Once upon a time, in a small village by the sea,`;
}
