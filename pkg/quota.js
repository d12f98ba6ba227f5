// What to do when there is no room to store a model: the caller decides, and
// nothing is deleted unasked.

import { badRequest } from "./errors.js";
import { models, remove, storage } from "./models.js";

/** Rounds of asking for one load: who frees too little that often will not succeed. */
const MAX_ROUNDS = 3;

/**
 * Loads with `attempt`, and asks `onQuota` when it fails for want of room.
 *
 * @param {string} url  the model that is loaded; it is never deleted itself
 * @param {((quota: object) => unknown) | undefined} onQuota
 * @param {(cache: boolean | undefined) => Promise<T>} attempt
 * @returns {Promise<T>}
 * @template T
 */
export async function withRoom(url, onQuota, attempt) {
  for (let round = 0; ; round++) {
    try {
      return await attempt(undefined);
    } catch (error) {
      if (error?.code !== "storage_full" || !onQuota || round === MAX_ROUNDS) throw error;
      const { needed, available } = error.data;
      const others = (await models()).filter((model) => model.url !== url).reverse();
      const decision = await onQuota({ needed, available, models: others });
      if (decision === "memory") return attempt(false);
      const unwanted = chosen(decision, others, needed - available);
      if (unwanted.length === 0) throw error;
      const { usage } = await storage();
      for (const address of unwanted) await remove(address);
      await freed(usage, others.filter((model) => unwanted.includes(model.url)));
    }
  }
}

/** Waits until the browser has noticed what was deleted, for some seconds at most. */
async function freed(before, deleted) {
  const bytes = deleted.reduce((sum, model) => sum + model.bytes, 0);
  for (let turn = 0; turn < 30; turn++) {
    const { usage } = await storage();
    if (before - usage >= bytes / 2) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The addresses to delete; none if the load is to fail. */
function chosen(decision, others, lacking) {
  if (decision === "fail" || decision === undefined) return [];
  if (Array.isArray(decision)) return decision.filter((address) => others.some(({ url }) => url === address));
  if (decision !== "evict") throw badRequest(`\`onQuota\` answered ${JSON.stringify(decision)}`);
  const unwanted = [];
  for (const { url, bytes } of others) {
    if (lacking <= 0) break;
    unwanted.push(url);
    lacking -= bytes;
  }
  return unwanted;
}
