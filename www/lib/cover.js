// What lies over the page: as long as anything does, the page behind it is out of reach.

const covering = new Set();

/**
 * @param {HTMLElement} page
 * @param {string} what  covers it, or does not any more
 * @param {boolean} covers
 */
export function cover(page, what, covers) {
  if (covers) covering.add(what);
  else covering.delete(what);
  page.inert = covering.size > 0;
}
