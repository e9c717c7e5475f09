/* Keeps the page's files for when there is no network; a new build replaces them all. */
const CACHE = `picosam2-${__VERSION__}`;
/** Part of the names of files that this browser does not need. */
const without = new URL(self.location.href).searchParams.get("without");
const FILES = __FILES__.filter((file) => !without || !file.includes(without));

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then(async (names) => {
      const old = names.filter((name) => name.startsWith("picosam2-") && name !== CACHE);
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    }),
  );
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const lookUp = async () => {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(event.request, { ignoreSearch: true });
    return kept ?? fetch(event.request);
  };
  event.respondWith(lookUp());
});
