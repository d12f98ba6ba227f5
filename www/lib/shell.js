// The page's side of the service worker: registers it, isolates the page by it,
// and brings updates in when nothing is lost by it.

const WORKER = new URL("../sw.js", import.meta.url);
/** How long the start waits for the worker, which is there in a moment or not at all. */
const CONTROL_MS = 2500;
const RELOADED = "pagelm.isolated-by-reload";
const UPDATE_EVERY_MS = 3_600_000;

/** Whether this browser and address allow a service worker. */
export const available = "serviceWorker" in navigator && window.isSecureContext;

/**
 * Registers the worker. Where the host sends no isolation headers the page is
 * loaded once more, with the worker's: then this does not return.
 *
 * @param {object} page
 * @param {() => boolean} page.busy whether an answer is being written, or a model loaded
 * @param {() => boolean} page.begun whether the reader has begun anything
 * @param {(update: () => void) => void} page.offer tells the reader of a new version
 */
export async function startShell(page) {
  if (!available) return;
  try {
    const first = !navigator.serviceWorker.controller;
    const registration = await navigator.serviceWorker.register(WORKER, { updateViaCache: "none" });
    watch(registration, page);
    if (first) await controlled();
    if (!globalThis.crossOriginIsolated && navigator.serviceWorker.controller && mayReload()) {
      location.reload();
      await new Promise(() => {});
    }
    sessionStorage.removeItem(RELOADED);
    let late = !navigator.serviceWorker.controller;
    navigator.serviceWorker.addEventListener("controllerchange", () => {
      // The very first version has come after all: it is worth a new start only where nothing has begun.
      if (late && (globalThis.crossOriginIsolated || page.begun() || !mayReload())) late = false;
      else reload(page);
    });
  } catch (error) {
    // Without it the page works, on one thread and with a network.
    console.info(`pagelm: no service worker (${error.message})`);
  }
}

/** Has the worker keep all that a start needs, this binary included. */
export function keepForOffline(variant) {
  if (available) navigator.serviceWorker.ready.then(({ active }) => active.postMessage({ type: "fill", variant }));
}

/** What another app has shared with this one, and no more after that. */
export async function takeShared() {
  if (!("caches" in globalThis)) return undefined;
  const name = `shared with ${new URL("./", document.baseURI).pathname}`;
  if (!(await caches.has(name))) return undefined;
  const cache = await caches.open(name);
  const shared = { text: "", files: [] };
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    const file = decodeURIComponent(new URL(request.url).pathname.split("/").at(-1));
    if (request.url.endsWith("shared/text")) shared.text = await response.text();
    else shared.files.push(new File([await response.blob()], file));
  }
  await caches.delete(name);
  return shared;
}

/** Resolves when a worker controls this page, or when that takes too long. */
function controlled() {
  if (navigator.serviceWorker.controller) return undefined;
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, CONTROL_MS);
  });
}

/** Once a session: a host or browser that undoes the isolation must not make a loop of it. */
function mayReload() {
  if (sessionStorage.getItem(RELOADED)) return false;
  sessionStorage.setItem(RELOADED, "yes");
  return sessionStorage.getItem(RELOADED) === "yes";
}

function watch(registration, page) {
  const activate = async (worker) => {
    await idle(page);
    worker.postMessage({ type: "activate" });
  };
  const offer = (worker) => page.offer(() => activate(worker));
  if (registration.waiting && navigator.serviceWorker.controller) offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    // The very first one is no update.
    if (!registration.active) return;
    const worker = registration.installing;
    worker.addEventListener("statechange", () => {
      if (worker.state === "installed" && registration.waiting === worker) offer(worker);
    });
  });
  setInterval(() => registration.update().catch(() => {}), UPDATE_EVERY_MS);
}

/** Another version has taken over: this page becomes one of it, after the answer that it writes. */
async function reload(page) {
  await idle(page);
  location.reload();
}

async function idle(page) {
  while (page.busy()) await new Promise((resolve) => setTimeout(resolve, 250));
}
