// The service worker: the app without a network, its updates in one piece, and
// the isolation that threads need, where the host cannot send the headers. It
// answers for the app's own files alone; models are the library's affair.

importScripts("./shell-files.js");

const { version, files } = self.SHELL;
const scope = new URL(self.registration.scope);
/** With the scope: another app of this origin has caches of its own. */
const PREFIX = `pagelm ${scope.pathname} `;
const CACHE = PREFIX + version;
/** What another app has shared, until the page has taken it. */
const SHARED = `shared with ${scope.pathname}`;
const HASH = "X-Content-Hash";

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.waitUntil(receive(event.data)));
self.addEventListener("fetch", (event) => {
  const answer = answerTo(event.request);
  if (answer) event.respondWith(answer);
});

/**
 * An update is fetched as a whole before it may run. The first version runs at
 * once, so that the page can be isolated, and is filled on the page's request.
 */
async function install() {
  const others = await older();
  if (others.length === 0) await self.skipWaiting();
  else await fill(await optionalOf(others));
}

async function activate() {
  for (const name of await older()) await caches.delete(name);
  await self.clients.claim();
}

async function receive({ type, variant }) {
  if (type === "fill") await fill(variant ? binariesOf(variant) : []);
  if (type === "activate") await self.skipWaiting();
}

/** Caches of this app's other versions. */
async function older() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
}

/** Fetches what is missing of this version: all files but the binaries, and these binaries. */
async function fill(binaries) {
  const cache = await caches.open(CACHE);
  const wanted = [...Object.keys(files).filter((path) => !isBinary(path)), ...binaries];
  await Promise.all(wanted.map((path) => keep(cache, path)));
}

async function keep(cache, path) {
  const url = addressOf(path);
  if (await cache.match(url)) return;
  await cache.put(url, (await copyOf(path)) ?? (await fetched(path)));
}

/** The same file, if an older version had it. */
async function copyOf(path) {
  for (const name of await older()) {
    const found = await (await caches.open(name)).match(addressOf(path));
    if (found?.headers.get(HASH) === files[path]) return found;
  }
  return undefined;
}

/** The file from the server, if it is the one that belongs to this version. */
async function fetched(path) {
  const response = await fetch(addressOf(path), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  const body = await response.arrayBuffer();
  const hash = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", body))));
  // Some hosts write into pages on their way; programs must be those of the build.
  if (hash !== files[path] && !path.endsWith(".html")) throw new Error(`${path} is of another version`);
  const headers = new Headers({ "Content-Type": response.headers.get("Content-Type") ?? "" });
  headers.set(HASH, files[path]);
  return new Response(body, { headers });
}

function answerTo(request) {
  const url = new URL(request.url);
  if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return undefined;
  const path = url.pathname.slice(scope.pathname.length) || "index.html";
  if (request.method === "POST" && path === "share") return share(request);
  if (request.method !== "GET" || !(path in files)) return undefined;
  return shell(path, request);
}

/** A file of this version, from the cache if it is there. */
async function shell(path, request) {
  const cache = await caches.open(CACHE);
  let response = await cache.match(addressOf(path));
  if (!response && isBinary(path)) {
    await keep(cache, path);
    response = await cache.match(addressOf(path));
  }
  return isolated(response ?? (await fetch(request)), request);
}

/**
 * With the headers that make a page isolated. A frame in another page is isolated
 * by Document-Isolation-Policy alone, as its opener policy is the outer page's.
 */
function isolated(response, { destination }) {
  const headers = new Headers(response.headers);
  if (["iframe", "frame", "embed"].includes(destination)) {
    headers.set("Document-Isolation-Policy", "isolate-and-require-corp");
  } else {
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  }
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText, body } = response;
  return new Response([204, 304].includes(status) ? null : body, { status, statusText, headers });
}

/** Text and files that another app shares: kept for the page, which is opened now. */
async function share(request) {
  const form = await request.formData();
  const text = ["title", "text", "url"].map((name) => form.get(name)).filter(Boolean).join("\n");
  const cache = await caches.open(SHARED);
  await cache.put(addressOf("shared/text"), new Response(text));
  const shared = form.getAll("files").filter((file) => typeof file !== "string" && file.size > 0);
  await Promise.all(shared.map((file, i) => cache.put(addressOf(`shared/${i}/${encodeURIComponent(file.name)}`), new Response(file))));
  return Response.redirect(addressOf("?shared"), 303);
}

function addressOf(path) {
  return new URL(path === "index.html" ? "./" : path, scope).href;
}

function isBinary(path) {
  return path.endsWith(".wasm");
}

function binariesOf(variant) {
  return Object.keys(files).filter((path) => isBinary(path) && path.includes(`/${variant}/`));
}

/** Binaries that an older version had: this browser runs them. */
async function optionalOf(names) {
  const had = [];
  for (const path of Object.keys(files).filter(isBinary)) {
    for (const name of names) if (await (await caches.open(name)).match(addressOf(path))) had.push(path);
  }
  return [...new Set(had)];
}
