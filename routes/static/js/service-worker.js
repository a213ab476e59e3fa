// @ts-check
/**
 * Keeps the app on the phone: its files under their version, the last copy of the pages that work without a network,
 * and an honest page for the others. Served as /sw.js with the list of files before it, so that it changes with them.
 *
 * Files are taken from the phone first, since their address names their version; pages from the network first, since
 * they are somebody's. What waits to be sent is not its affair.
 */

/** @typedef {{version: string, files: [string, string][], pages: string[], away: string}} Shell */
/** @typedef {{waitUntil(work: Promise<unknown>): void}} Work */
/** @typedef {Work & {request: Request, respondWith(answer: Promise<Response>): void}} Fetching */
/** @typedef {{skipWaiting(): Promise<void>, clients: {claim(): Promise<void>}, addEventListener(name: string, heard: (event: any) => void): void, location: Location, SHELL: Shell}} Scope */

const sw = /** @type {Scope} */ (/** @type {unknown} */ (globalThis));
const { version, files, pages, away } = sw.SHELL;
const CACHE = `shell-${version}`;
const PAGES = "pages";
/** In each cache: which digest lies under which address. */
const LIST = "/v/list";
/** A network that takes longer than this is as good as none, when the page is here. */
const PATIENCE_MS = 3000;
const AT_ONCE = 6;

sw.addEventListener("install", (/** @type {Work} */ event) => event.waitUntil(fill()));
sw.addEventListener("activate", (/** @type {Work} */ event) => event.waitUntil(takeOver()));
sw.addEventListener("message", ({ data }) => {
  if (data === "take over") void sw.skipWaiting();
});
sw.addEventListener("fetch", (/** @type {Fetching} */ event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== sw.location.origin || request.method !== "GET") return;
  if (pathname.startsWith("/v/") || pathname.startsWith("/npm/")) event.respondWith(shelved(request, pathname));
  else if (pathname.startsWith("/static/")) event.respondWith(fetch(request).catch(() => shelved(request, pathname.replace("/static/", `/v/${version}/`))));
  else if (request.mode === "navigate") event.respondWith(page(event, pathname));
});

/** All of it, or the old version stays: each file is checked against its digest. What has not changed is not fetched. */
async function fill() {
  const cache = await caches.open(CACHE);
  const old = await known();
  const open = [...files, [away, ""]];
  const worker = async () => {
    for (let next = open.pop(); next; next = open.pop()) {
      const [address = "", digest = ""] = next;
      const kept = digest && (await old.get(digest)?.());
      await cache.put(address, kept || (await fetched(address, digest)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await cache.put(LIST, Response.json(files));
}

/**
 * @param {string} address
 * @param {string} digest
 */
async function fetched(address, digest) {
  const response = await fetch(address, digest ? { integrity: digest } : {});
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response;
}

/**
 * What older versions left here, by digest.
 * @returns {Promise<Map<string, () => Promise<Response | undefined>>>}
 */
async function known() {
  const found = new Map();
  for (const name of await caches.keys()) {
    if (!name.startsWith("shell-")) continue;
    const cache = await caches.open(name);
    const list = /** @type {[string, string][]} */ ((await (await cache.match(LIST))?.json()) ?? []);
    for (const [address, digest] of list) found.set(digest, () => cache.match(address));
  }
  return found;
}

async function takeOver() {
  for (const name of await caches.keys()) if (name.startsWith("shell-") && name !== CACHE) await caches.delete(name);
  await sw.clients.claim();
}

/**
 * @param {Request} request
 * @param {string} pathname
 */
async function shelved(request, pathname) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(pathname);
  if (kept) return kept;
  try {
    return await fetch(request);
  } catch (fault) {
    // A page of a version that is gone: today's file is better than none.
    const near = await cache.match(pathname.replace(/^\/v\/[^/]+\//, `/v/${version}/`));
    if (near) return near;
    throw fault;
  }
}

/**
 * @param {Fetching} event
 * @param {string} pathname
 * @returns {Promise<Response>}
 */
async function page(event, pathname) {
  const keeps = pages.includes(pathname);
  const kept = keeps ? await (await caches.open(PAGES)).match(pathname) : undefined;
  const asked = fetch(event.request).then(async (response) => {
    // Only a page that was given to somebody who is logged in: else it is a redirect to the login.
    if (keeps && response.ok && !response.redirected) event.waitUntil((await caches.open(PAGES)).put(pathname, response.clone()));
    return response;
  });
  try {
    const response = await (kept ? Promise.race([asked, patience()]) : asked);
    if (kept && response.status >= 500) return kept;
    return response;
  } catch {
    asked.catch(() => undefined);
    return kept ?? (await (await caches.open(CACHE)).match(away)) ?? Response.error();
  }
}

/** @returns {Promise<never>} */
function patience() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("slow")), PATIENCE_MS));
}
