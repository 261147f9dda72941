// Sends scans until the server has answered them. A scan that is sent twice has one effect: its nonce.

const BATCH_MAX = 50;
const SEND_MILLISECONDS_MAX = 10_000;
const RETRY_MILLISECONDS = 4_000;

export class Sender {
  /**
   * @param {string} stop the id of the stop
   * @param {Store} store where scans are kept
   * @param {{answered: (scan: object) => void, lost: () => void, state: (state: string, waiting: number) => void}} on
   */
  constructor(stop, store, on) {
    this.url = `/api/v1/stops/${stop}/scans`;
    this.store = store;
    this.on = on;
    this.running = null;
    this.isWanted = false;
    this.flying = new Set();
    this.withdrawn = new Set();
    window.addEventListener("online", () => this.send());
    document.addEventListener("visibilitychange", () => document.hidden || this.send());
    setInterval(() => this.#retry(), RETRY_MILLISECONDS);
  }

  /** Send what waits; resolves when all of it is answered or it does not work now. */
  send() {
    this.isWanted = true;
    this.running ??= this.#run().finally(() => (this.running = null));
    return this.running;
  }

  async waiting() {
    return (await this.store.scans()).filter((scan) => !scan.answer);
  }

  /**
   * Let scans go that no server can have heard of; false when one may have left by now.
   * @param {string[]} nonces
   */
  async withdraw(nonces) {
    if (nonces.some((nonce) => this.flying.has(nonce))) return false;
    // Before anything is waited for: what is about to be sent leaves them out.
    for (const nonce of nonces) this.withdrawn.add(nonce);
    const kept = (await this.store.scans()).filter((scan) => nonces.includes(scan.nonce));
    const mayGo = kept.every((scan) => !scan.answer && !scan.is_tried);
    if (mayGo) for (const { nonce } of kept) await this.store.drop(nonce);
    for (const nonce of nonces) this.withdrawn.delete(nonce);
    return mayGo;
  }

  async #retry() {
    if (!document.hidden && (await this.waiting()).length) await this.send();
  }

  async #run() {
    do {
      this.isWanted = false;
      const state = await this.#all();
      this.on.state(state, (await this.waiting()).length);
    } while (this.isWanted);
  }

  async #all() {
    const waiting = await this.waiting();
    for (let start = 0; start < waiting.length; start += BATCH_MAX) {
      const state = await this.#deliver(waiting.slice(start, start + BATCH_MAX));
      if (state !== "online") return state;
    }
    return "online";
  }

  async #deliver(wanted) {
    const scans = wanted.filter((scan) => !this.withdrawn.has(scan.nonce));
    if (!scans.length) return "online";
    for (const scan of scans) this.flying.add(scan.nonce);
    try {
      // Where there is no network at all, nothing leaves the phone.
      if (navigator.onLine) await this.store.keepTried(scans);
      const answer = await this.#post(scans).catch(() => null);
      if (!answer && scans.some((scan) => !scan.is_tried)) this.on.lost();
      return await this.#taken(scans, answer);
    } finally {
      for (const scan of scans) this.flying.delete(scan.nonce);
    }
  }

  async #taken(scans, answer) {
    if (!answer) return "offline";
    if (answer.status === 401) return "signed_out";
    if (answer.status === 403) return "forbidden";
    if (answer.status === 422) return this.#singly(scans);
    if (!answer.ok) return "away";
    const items = await answer.json().then((content) => content.items, () => []);
    const found = new Map(items.map((item) => [item.nonce, item]));
    for (const scan of scans) {
      if (found.has(scan.nonce)) await this.#settle(scan, found.get(scan.nonce));
    }
    return items.length ? "online" : "offline";
  }

  /** One that the server cannot read must not hold up the others. */
  async #singly(scans) {
    if (scans.length === 1) {
      await this.#settle(scans[0], { outcome: "refused", reason: "unknown_code", participant: null });
      return "online";
    }
    for (const scan of scans) {
      const state = await this.#deliver([scan]);
      if (state !== "online") return state;
    }
    return "online";
  }

  async #settle(scan, answer) {
    // Answered, a scan needs no code any more.
    const { code, ...rest } = scan;
    const settled = { ...rest, answer };
    await this.store.keepScan(settled);
    this.on.answered(settled);
  }

  #post(scans) {
    const body = {
      sent_at: new Date().toISOString(),
      scans: scans.map(({ nonce, code, participant_id, scanned_at, programme_item_id }) => ({
        nonce,
        ...(participant_id ? { participant_id } : { code }),
        scanned_at,
        ...(programme_item_id ? { programme_item_id } : {}),
      })),
    };
    const headers = { "Content-Type": "application/json" };
    const signal = AbortSignal.timeout(SEND_MILLISECONDS_MAX);
    return fetch(this.url, { method: "POST", headers, body: JSON.stringify(body), signal });
  }
}
