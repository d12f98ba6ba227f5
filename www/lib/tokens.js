// Tokens as people read them.

/** A token's text with what cannot be seen made visible. */
export function visible(name) {
  return name.replaceAll("\n", "↵").replaceAll("\t", "⇥").replace(/^bytes:/, "") || "∅";
}

/** A probability: `93 %`, `4.2 %`, `0.03 %`. */
export function percent(probability) {
  const value = probability * 100;
  if (value >= 99.95) return "100 %";
  if (value >= 10) return `${value.toFixed(0)} %`;
  if (value >= 1) return `${value.toFixed(1)} %`;
  return value >= 0.01 ? `${value.toFixed(2)} %` : "< 0.01 %";
}

/** How much a token surprises, from 0 to 1: 1 from e^-8 on, one in three thousand. */
export function surprise(logprob) {
  return logprob === null ? 0 : Math.min(1, -logprob / 8);
}
