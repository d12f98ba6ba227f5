// Files dropped anywhere on the page.

/** @param {(files: File[]) => void} take */
export function onDrop(take) {
  // Every element under the pointer is entered and left: only the difference counts.
  let depth = 0;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (by) => {
    depth = Math.max(0, depth + by);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => carries(event) && mark(1));
  document.addEventListener("dragleave", (event) => carries(event) && mark(-1));
  document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    mark(-depth);
    take([...event.dataTransfer.files]);
  });
}
