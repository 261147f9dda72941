// The scanning page: one badge after the other, with or without the network.

import { Camera } from "/static/registration/scan-camera.js";
import { digest, looksLikeCode, newNonce, readCode } from "/static/registration/scan-code.js";
import { follow } from "/static/registration/scan-headcount.js";
import { indexed, judge, search } from "/static/registration/scan-judge.js";
import { Sender } from "/static/registration/scan-sender.js";
import { Store, forgetAtSignOut, forgetThoseOver } from "/static/registration/scan-store.js";
import { Undo, alike, arrivalOf, canUndo, canWithdraw, isUndone } from "/static/registration/scan-undo.js";
import { View } from "/static/registration/scan-view.js";

const ROSTER_MILLISECONDS = 60_000;
const ANSWER_MILLISECONDS_MAX = 1_500;
const SAME_BADGE_MILLISECONDS = 4_000;
const KEY_MILLISECONDS_MAX = 500;
const FOUND_MAX = 8;
const RECENT_MAX = 6;

const page = document.getElementById("scanner");
const field = document.getElementById("typed");
const item = document.getElementById("item");
const stop = page.dataset.stop;
const view = new View(page);
const store = await Store.open(stop);
const headcount = follow(document.getElementById("headcount"));

let roster = null;
let tag = null;
let state = "online";
let shown = null;
let arrived = new Map();
let impatient = null;
const lastSeen = { code: null, at: 0 };

const sender = new Sender(stop, store, {
  answered: (scan) => {
    if (scan.nonce === shown) {
      clearTimeout(impatient);
      view.result(scan);
    } else if (scan.answer.outcome === "refused" && scan.guess.outcome === "accepted") {
      view.contradiction(scan);
    }
    drawRecent();
    headcount.soon();
  },
  // What may have left the phone is not taken back by it alone any more.
  lost: () => drawRecent(),
  state: (now, waiting) => {
    state = now;
    view.connection(state, waiting);
  },
});

/** The arrivals this phone knows of by its scans, beyond those on its list. */
function arrivals(scans) {
  const found = new Map();
  for (const scan of scans) {
    const where = scan.answer ? scan.answer.programme_item_id : scan.guess.item;
    const at = arrivalOf(scan);
    if (scan.person && at && !isUndone(scan, roster)) found.set(`${scan.person.id} ${where}`, at);
  }
  return found;
}

/** Take what was shown: a code, or somebody who was found by name. */
async function take({ code = null, person = null }) {
  const now = new Date();
  const asked = { digest: code && (await digest(code)), person: person?.id };
  const { person: found, ...guess } = judge(roster, asked, item.value, now.getTime(), arrivals(await store.scans()));
  const scan = {
    nonce: newNonce(),
    stop_id: stop,
    scanned_at: now.toISOString(),
    programme_item_id: item.value || null,
    ...(code ? { code } : { participant_id: person.id }),
    person: found && brief(found),
    guess,
    answer: null,
  };
  await store.keepScan(scan);
  shown = scan.nonce;
  clearTimeout(impatient);
  const isWorthWaiting = state === "online" && navigator.onLine;
  if (isWorthWaiting) view.checking(scan);
  impatient = setTimeout(() => view.result(scan, roster), isWorthWaiting ? ANSWER_MILLISECONDS_MAX : 0);
  drawRecent();
  await sender.send();
}

function brief({ id, full_name, native_name, organization, native_organization }) {
  return { id, full_name, native_name, organization, native_organization };
}

function seen(text) {
  // Who is asked something about one person has not seen the next one.
  if (undo.isOpen) return;
  const code = readCode(text);
  const now = Date.now();
  const isSame = lastSeen.code === text && now - lastSeen.at < SAME_BADGE_MILLISECONDS;
  Object.assign(lastSeen, { code: text, at: now });
  if (isSame) return;
  if (code) take({ code });
  else view.notBadge();
}

async function drawRecent() {
  const scans = await store.scans();
  arrived = arrivals(scans);
  const latest = new Set();
  const shown = scans.slice(-RECENT_MAX).reverse().map((scan) => {
    const id = scan.answer?.registration_id;
    const isLatest = !latest.has(id);
    latest.add(id);
    const isOffered = scan.answer ? isLatest && canUndo(scan, roster) : canWithdraw(scan, scans);
    return { scan, isUndone: isUndone(scan, roster), canUndo: isOffered };
  });
  view.recent(shown, (scan) => (scan.answer ? undo.ask(scan) : withdraw(scan)));
}

/** The same badge, shown at once, is not the same look at it. */
function forgetLook() {
  Object.assign(lastSeen, { code: null, at: 0 });
  shown = null;
  clearTimeout(impatient);
}

// ---- taking back ------------------------------------------------------------------------------

const undo = new Undo(document.getElementById("undo"), view, async (scan, undone) => {
  for (const one of await store.scans()) {
    if (one.answer?.registration_id === scan.answer.registration_id) await store.keepScan({ ...one, undone_at: undone });
  }
  forgetLook();
  view.undone(scan);
  headcount.soon();
  await drawRecent();
  await refreshRoster();
  await drawRecent();
});

/** Forget a check-in that never left this phone: there is nobody to tell. */
async function withdraw(scan) {
  if (!confirm(view.text("scan_withdraw_sure", { name: view.name(scan.person) }))) return;
  const scans = alike(scan, await store.scans());
  if (await sender.withdraw(scans.map((one) => one.nonce))) {
    forgetLook();
    view.withdrawn(scan);
  }
  await drawRecent();
}

// ---- typing, and scanners that type ------------------------------------------------------------

document.getElementById("type").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  const code = readCode(text);
  if (code) {
    field.value = "";
    view.found([]);
    take({ code });
  } else if (text && looksLikeCode(text) && !search(roster, text, 1).length) {
    view.mistyped();
  } else {
    find();
  }
});

field.addEventListener("input", find);
item.addEventListener("change", () => {
  page.querySelector("#headcount").dataset.item = item.value;
  headcount.show();
  find();
});

function find() {
  const text = field.value.trim();
  const people = text.length > 1 || /\p{Script=Han}/u.test(text) ? search(roster, text, FOUND_MAX) : [];
  view.found(people, { text: readCode(text) ? "" : text, roster, arrived, choose });
}

function choose(person) {
  field.value = "";
  view.found([]);
  take({ person });
}

/** A scanner with a cable or Bluetooth types quickly, wherever the focus is. */
const typed = { text: "", at: 0 };
document.addEventListener("keydown", (event) => {
  if (event.target.matches?.("input, select, textarea") || event.ctrlKey || event.metaKey) return;
  if (event.timeStamp - typed.at > KEY_MILLISECONDS_MAX) typed.text = "";
  typed.at = event.timeStamp;
  if (event.key.length === 1) typed.text += event.key;
  else if (event.key === "Enter" && typed.text.length > 5) {
    event.preventDefault();
    seen(typed.text);
    typed.text = "";
  }
});

// ---- the camera ------------------------------------------------------------------------------

const camera = new Camera(page.querySelector("video"), page.dataset.decoder, seen);
const switchCamera = document.getElementById("camera");
switchCamera.addEventListener("click", async () => {
  view.wakeSound();
  if (camera.isOn) camera.stop();
  else await camera.start().catch((error) => view.noCamera(error.name));
  view.camera(camera.isOn);
});
if (!navigator.mediaDevices || !("BarcodeDetector" in window || page.dataset.decoder)) {
  view.noCamera(navigator.mediaDevices ? "NoReader" : "NoCamera");
}

// ---- the roster ------------------------------------------------------------------------------

function useRoster(kept) {
  roster = kept && indexed(kept);
  view.roster(kept);
}

async function refreshRoster() {
  if (document.hidden) return;
  const headers = tag ? { "If-None-Match": tag } : {};
  const answer = await fetch(`/api/v1/stops/${stop}/roster`, { headers, cache: "no-store" }).catch(() => null);
  if (answer?.ok) {
    const fresh = await answer.json().catch(() => null);
    if (!fresh) return;
    tag = answer.headers.get("ETag");
    await store.keepRoster(fresh);
    useRoster(fresh);
  } else if (answer?.status === 304 && roster) {
    const { byId, byDigest, lost, itemsById, ...kept } = { ...roster, taken_at: new Date().toISOString() };
    await store.keepRoster(kept);
    useRoster(kept);
  } else if ([401, 403].includes(answer?.status)) {
    // Whoever is signed out, or works here no longer, keeps nobody's name.
    await store.forget();
    tag = null;
    useRoster(null);
  }
  state = answer ? { 401: "signed_out", 403: "forbidden" }[answer.status] ?? (answer.status >= 500 ? "away" : "online") : "offline";
  view.connection(state, (await sender.waiting()).length);
}

async function forgetWhenOver() {
  await forgetThoseOver();
  if (roster && Date.parse(roster.forgotten_at) <= Date.now()) {
    tag = null;
    useRoster(null);
    await drawRecent();
  }
}

await forgetWhenOver();
useRoster(await store.roster());
await drawRecent();
setInterval(async () => {
  await forgetWhenOver();
  await refreshRoster();
}, ROSTER_MILLISECONDS);
window.addEventListener("online", refreshRoster);
window.addEventListener("offline", async () => view.connection((state = "offline"), (await sender.waiting()).length));
document.addEventListener("visibilitychange", refreshRoster);

forgetAtSignOut(async () => {
  await sender.send();
  const { length } = await sender.waiting();
  return !length || confirm(view.text("scan_sign_out_unsent", { number: length }));
});

if (navigator.serviceWorker) {
  // A new version came: its page and its files belong together. What was scanned is kept.
  const isFirst = !navigator.serviceWorker.controller;
  navigator.serviceWorker.addEventListener("controllerchange", () => isFirst || location.reload());
  navigator.serviceWorker
    .register(`${page.dataset.page}/worker.js`, { scope: page.dataset.page, updateViaCache: "none" })
    .then(() => navigator.serviceWorker.ready)
    .then(() => (page.dataset.offline = "ready"))
    .catch(() => null);
}
await refreshRoster();
await sender.send();
page.dataset.ready = "yes";
