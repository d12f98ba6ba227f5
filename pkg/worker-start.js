// Starting a worker, also of another origin's script.

/**
 * Makes a module worker by `make`, which must name the script as
 * `new Worker(new URL("…", import.meta.url), …)`, so that bundlers see it. A browser makes no
 * worker of a script of another origin, as where the package comes from a CDN: then a script
 * of the page's own imports it.
 *
 * @param {() => Worker} make
 * @param {URL} url       the same script
 * @param {string} name   the worker's name
 */
export function startWorker(make, url, name) {
  try {
    return make();
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
  }
  const script = new Blob([`import ${JSON.stringify(url.href)};`], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  const worker = new Worker(address, { type: "module", name });
  // Its script is read before it can say anything, or fail.
  const release = () => URL.revokeObjectURL(address);
  worker.addEventListener("message", release, { once: true });
  worker.addEventListener("error", release, { once: true });
  return worker;
}
