// Speaks to screen readers: states and finished answers, never single tokens.

/** Says a sentence politely; the same sentence twice is said twice. */
export function announce(text) {
  const region = document.getElementById("announcer");
  region.textContent = "";
  // A change in the same task would be seen as none.
  setTimeout(() => (region.textContent = text), 50);
}
