// What the phone keeps: the roster of a stop, and scans until the server has answered them.
//
// It is not encrypted: the page must open without the network, so the key would have to lie beside
// what it locks, and whoever holds the unlocked phone holds both. What protects people is that little
// is kept (names, companies and states; badges as digests, no addresses), that the phone's own lock
// encrypts it at rest, and that it is forgotten: at sign-out, when a session ends, and the night
// after the stop.

const NAME = "tradewind-door";
const ANSWERED_MAX = 30;

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("roster", { keyPath: "stop_id" });
    request.result.createObjectStore("scan", { keyPath: "nonce" }).createIndex("stop", "stop_id");
  };
  return done(request);
}

export class Store {
  /** Open what is kept for a stop. Where the browser keeps nothing, it lives as long as the page. */
  static async open(stop) {
    const database = await opened().catch(() => null);
    return new Store(stop, database);
  }

  constructor(stop, database) {
    this.stop = stop;
    this.database = database;
    this.memory = { roster: null, scans: new Map() };
  }

  #table(name, mode = "readwrite") {
    return this.database.transaction(name, mode).objectStore(name);
  }

  async roster() {
    const found = this.database ? await done(this.#table("roster", "readonly").get(this.stop)) : this.memory.roster;
    return found ?? null;
  }

  async keepRoster(roster) {
    this.memory.roster = roster;
    if (this.database) await done(this.#table("roster").put(roster));
  }

  /** All scans of the stop, the first one first. */
  async scans() {
    const found = this.database
      ? await done(this.#table("scan", "readonly").index("stop").getAll(this.stop))
      : [...this.memory.scans.values()];
    return found.sort((one, other) => one.scanned_at.localeCompare(other.scanned_at));
  }

  /** Keep a scan; those that were answered long ago make room. */
  async keepScan(scan) {
    this.memory.scans.set(scan.nonce, scan);
    if (this.database) await done(this.#table("scan").put(scan));
    const answered = (await this.scans()).filter((one) => one.answer);
    for (const old of answered.slice(0, -ANSWERED_MAX)) await this.drop(old.nonce);
  }

  /** Note that a server may have heard of scans from now on. */
  async keepTried(scans) {
    for (const scan of scans.filter((one) => !one.is_tried)) {
      const tried = { ...scan, is_tried: true };
      this.memory.scans.set(scan.nonce, tried);
      if (this.database) await done(this.#table("scan").put(tried));
    }
  }

  async drop(nonce) {
    this.memory.scans.delete(nonce);
    if (this.database) await done(this.#table("scan").delete(nonce));
  }

  /** Forget everybody. Scans that no server has seen stay until one has, without any name. */
  async forget() {
    this.memory.roster = null;
    if (this.database) await done(this.#table("roster").delete(this.stop));
    for (const scan of await this.scans()) {
      if (scan.answer) await this.drop(scan.nonce);
      else await this.keepScan({ ...scan, person: null });
    }
  }
}

/** Forget the people of stops that are over, whichever stop this page is about. */
export async function forgetThoseOver() {
  const database = await opened().catch(() => null);
  if (!database) return;
  const rosters = await done(database.transaction("roster").objectStore("roster").getAll());
  for (const roster of rosters) {
    if (Date.parse(roster.forgotten_at) <= Date.now()) await new Store(roster.stop_id, database).forget();
  }
  database.close();
}

/** Forget the people of every stop that was opened on this phone, and the pages. */
export async function forgetAll() {
  const database = await opened().catch(() => null);
  if (database) {
    const rosters = await done(database.transaction("roster").objectStore("roster").getAllKeys());
    const scans = await done(database.transaction("scan").objectStore("scan").getAll());
    const stops = new Set([...rosters, ...scans.map((scan) => scan.stop_id)]);
    for (const stop of stops) await new Store(stop, database).forget();
    database.close();
  }
  const workers = (await navigator.serviceWorker?.getRegistrations()) ?? [];
  await Promise.all(workers.filter((one) => one.scope.endsWith("/scan")).map((one) => one.unregister()));
  for (const name of (await globalThis.caches?.keys()) ?? []) {
    if (name.startsWith("scan ")) await caches.delete(name);
  }
}

/** Forget before a browser signs out, wherever on the page that is. */
export function forgetAtSignOut(mayLeave = async () => true) {
  for (const form of document.querySelectorAll('form[action="/sign-out"]')) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!(await mayLeave())) return;
      await forgetAll().catch(() => null);
      form.submit();
    });
  }
}
