// Models' files in the origin private file system (OPFS). The worker writes and reads
// them (src/store/opfs.rs); here they are deleted. The names are those of
// src/store/schema.rs; who changes one changes the other.

const FOLDER = "pagelm";
const LOCK = "pagelm:files";

/** Deletes the files of these downloads. One that a load has open stays, for `tidy`. */
export async function removeFiles(ids) {
  const folder = ids.length > 0 ? await open() : null;
  for (const id of ids) await folder?.removeEntry(String(id)).catch(() => {});
}

/**
 * Deletes the files that no manifest names, which a tab has left that ended between the two:
 * not while a load runs, as its first manifest may be still to come.
 *
 * @param {() => Promise<number[]>} named  the ids of those that one names
 */
export async function tidy(named) {
  await globalThis.navigator?.locks?.request(LOCK, { ifAvailable: true }, async (lock) => {
    const folder = lock && (await open());
    if (!folder) return;
    const kept = new Set((await named()).map(String));
    for await (const name of folder.keys()) {
      if (!kept.has(name)) await folder.removeEntry(name).catch(() => {});
    }
  });
}

/** The folder; null where there is none. */
async function open() {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER);
  } catch {
    return null;
  }
}
