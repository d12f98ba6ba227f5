// Which passages a question is about: Okapi BM25 (Robertson and Zaragoza 2009), with the
// usual constants.
//
//   score(q, d) = Σ idf(t) · f(t, d) · (k + 1) / (f(t, d) + k · (1 - b + b · |d| / mean))
//   idf(t) = ln(1 + (N - n(t) + 0.5) / (n(t) + 0.5))

const K = 1.2;
const B = 0.75;

export class Bm25 {
  #documents;
  #mean;
  /** term → in how many documents it is. */
  #spread = new Map();

  /** @param {string[]} texts */
  constructor(texts) {
    this.#documents = texts.map((text) => count(terms(text)));
    const lengths = this.#documents.map(({ length }) => length);
    this.#mean = lengths.reduce((a, b) => a + b, 0) / (lengths.length || 1) || 1;
    for (const { counts } of this.#documents) for (const term of counts.keys()) this.#spread.set(term, (this.#spread.get(term) ?? 0) + 1);
  }

  /**
   * The texts that have anything in common with the question, the best first.
   *
   * @returns {{ index: number, score: number }[]}
   */
  rank(question) {
    const asked = [...new Set(terms(question))];
    const scores = this.#documents.map((document, index) => ({ index, score: this.#score(asked, document) }));
    return scores.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score || a.index - b.index);
  }

  #score(asked, { counts, length }) {
    let score = 0;
    for (const term of asked) {
      const f = counts.get(term);
      if (!f) continue;
      const n = this.#spread.get(term);
      const idf = Math.log(1 + (this.#documents.length - n + 0.5) / (n + 0.5));
      score += (idf * f * (K + 1)) / (f + K * (1 - B + (B * length) / this.#mean));
    }
    return score;
  }
}

function count(all) {
  const counts = new Map();
  for (const term of all) counts.set(term, (counts.get(term) ?? 0) + 1);
  return { counts, length: all.length };
}

/** Words without case, accents and English plurals; of scripts without spaces, pairs of characters. */
export function terms(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.flatMap((word) => (DENSE.test(word) ? pairs(word) : [singular(word)]));
}

const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

function pairs(word) {
  const characters = [...word];
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, i) => characters[i] + character);
}

function singular(word) {
  if (word.length > 4 && word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}
