// Questions to begin with.

export const EXAMPLES = Object.freeze([
  "Write a short poem about the sea at night.",
  "Explain to a ten-year-old why the sky is blue.",
  "Give me three names for a small bakery, as a list.",
]);
