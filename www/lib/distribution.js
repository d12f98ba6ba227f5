// From the model's distribution to the one that a token is drawn from, step by
// step as the engine does it (src/sampling): top-k, top-p, min-p, temperature.

/**
 * @typedef {object} Candidate
 * @property {number} id
 * @property {number} logprob natural logarithm of the model's own probability
 */

/**
 * What sampling makes of the most probable tokens.
 *
 * The tokens that are not among the candidates count as equally probable, which
 * is the most that they can weigh. It matters only where no step cuts them off.
 *
 * @param {Candidate[]} candidates the most probable first
 * @param {{ temperature: number, top_k: number, top_p: number, min_p: number }} settings
 * @param {number} vocabulary how many tokens there are
 * @returns {{ kept: number, probabilities: number[], rest: number }} how many candidates stay in the
 *   choice, the probability of each candidate, and that of all other tokens together
 */
export function sampled(candidates, { temperature, top_k, top_p, min_p }, vocabulary) {
  const best = candidates[0].logprob;
  let within = candidates;
  let rest = Math.max(0, 1 - mass(candidates));
  if (top_k > 0 && top_k <= candidates.length) [within, rest] = [candidates.slice(0, top_k), 0];
  if (top_p < 1) {
    const count = fewest(within, top_p * (mass(within) + rest));
    if (count < within.length) [within, rest] = [within.slice(0, count), 0];
  }
  if (min_p > 0) {
    const bar = best + Math.log(min_p);
    const count = within.findIndex(({ logprob }) => logprob < bar);
    if (count >= 0) [within, rest] = [within.slice(0, Math.max(1, count)), 0];
  }
  if (temperature === 0) return { kept: 1, probabilities: candidates.map((_, i) => (i === 0 ? 1 : 0)), rest: 0 };
  const weights = candidates.map(({ logprob }, i) => (i < within.length ? Math.exp((logprob - best) / temperature) : 0));
  const others = vocabulary - candidates.length;
  const restWeight = rest > 0 && others > 0 ? others * Math.exp((Math.log(rest / others) - best) / temperature) : 0;
  const total = weights.reduce((sum, weight) => sum + weight, restWeight);
  return { kept: within.length, probabilities: weights.map((weight) => weight / total), rest: restWeight / total };
}

/** How many of the first have this much probability together; all if they have not. */
function fewest(candidates, goal) {
  let reached = 0;
  for (let i = 0; i < candidates.length; i++) {
    reached += Math.exp(candidates[i].logprob);
    if (reached >= goal) return i + 1;
  }
  return candidates.length;
}

function mass(candidates) {
  return candidates.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
}
