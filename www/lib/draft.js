// A question that is not sent yet outlives a reload of its tab.

const KEY = "pagelm.draft";

/** @param {{ text: string, files: object[] }} draft */
export function keepDraft(talk, draft) {
  try {
    if (draft.text || draft.files.length > 0) sessionStorage.setItem(KEY, JSON.stringify({ talk, ...draft }));
    else sessionStorage.removeItem(KEY);
  } catch {
    // A long file may be more than the session has room for.
  }
}

/**
 * The draft of this conversation; of one that is not stored yet whichever there is.
 * @returns {{ text: string, files: object[] } | undefined}
 */
export function takeDraft(talk, stored) {
  try {
    const { talk: of, ...draft } = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    return draft.text !== undefined && (!stored || of === talk) ? draft : undefined;
  } catch {
    return undefined;
  }
}
