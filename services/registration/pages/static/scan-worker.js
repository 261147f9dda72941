// Keeps the scanning page of one stop for when the network is away. VERSION, PAGE, FILES and DECODER
// stand before this, written by the server; another version makes another worker.

const CACHE = `scan ${PAGE} ${VERSION}`;
const PATIENCE_MILLISECONDS = 4_000;

self.addEventListener("install", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
    const page = await fetch(PAGE, { cache: "reload" });
    if (page.ok && !page.redirected) await cache.put(PAGE, page);
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(`scan ${PAGE} `) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === PAGE) event.respondWith(page(event.request));
  else if (FILES.includes(url.pathname)) event.respondWith(file(event.request));
  else if (DECODER && url.pathname.startsWith(`${DECODER}/`)) event.respondWith(file(event.request));
});

/** The page as it is now, or the one that is kept; whoever is signed out loses that. */
async function page(request) {
  const cache = await caches.open(CACHE);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MILLISECONDS, null));
  const answer = await Promise.race([fetch(request).catch(() => null), late]);
  if (answer?.ok && !answer.redirected) await cache.put(PAGE, answer.clone());
  else if (answer && [401, 403, 404].includes(answer.status)) await cache.delete(PAGE);
  else if (!answer || answer.status >= 500) return (await cache.match(PAGE)) ?? answer ?? fetch(request);
  return answer;
}

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
