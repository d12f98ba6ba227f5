// Names for conversations and messages.

/** Unlike any other, also where the page is not secure and has no randomUUID. */
export function newId() {
  const random = crypto.getRandomValues(new Uint32Array(3));
  return Date.now().toString(36) + [...random].map((part) => part.toString(36).padStart(7, "0")).join("");
}
