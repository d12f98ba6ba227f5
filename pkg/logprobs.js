// Log-probabilities in the two shapes that OpenAI's API has for them. A delta brings
// { token, name, logprob, top: [[id, name, logprob], …] }.

const BYTES = /^bytes:((?:\\x[0-9a-f]{2})+)$/;
const encoder = new TextEncoder();

/** Of a chat answer: one entry for each token that came. */
export function chatLogprobs(deltas) {
  const content = deltas
    .filter(({ name }) => name !== undefined)
    .map(({ token, name, logprob, top }) => ({ ...entry([token, name, logprob]), top_logprobs: top.map(entry) }));
  return content.length > 0 ? { content, refusal: null } : null;
}

function entry([id, name, logprob]) {
  return { token: name, id, logprob, bytes: bytesOf(name) };
}

/** What a name stands for: a token that is not whole characters is written as its bytes. */
function bytesOf(name) {
  const written = BYTES.exec(name)?.[1];
  if (written === undefined) return [...encoder.encode(name)];
  return written.match(/[0-9a-f]{2}/g).map((hex) => parseInt(hex, 16));
}

/** Of raw text: the lists of the older completions. `offset` is where the first name begins. */
export function textLogprobs(deltas, offset) {
  return {
    tokens: deltas.map(({ name }) => name),
    token_logprobs: deltas.map(({ logprob }) => logprob),
    top_logprobs: deltas.map(({ logprob, top }) => (logprob === null ? null : byName(top))),
    text_offset: deltas.map(({ name }) => (offset += name.length) - name.length),
    token_ids: deltas.map(({ token }) => token),
    top_token_ids: deltas.map(({ logprob, top }) => (logprob === null ? null : top.map(([id, , value]) => [id, value]))),
  };
}

/** Two tokens may have one name: the first, which is the more probable, keeps it. */
function byName(top) {
  const names = new Map();
  for (const [, name, logprob] of top) if (!names.has(name)) names.set(name, logprob);
  return Object.fromEntries(names);
}
