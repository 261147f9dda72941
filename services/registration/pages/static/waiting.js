// Whose turn it is: asked by itself, more often the nearer it comes, never by all at one moment.

const data = JSON.parse(document.getElementById("waiting-data").textContent);
const slot = (name) => document.getElementById(`waiting-${name}`);
const opening = data.seconds_to_opening === null ? null : performance.now() + data.seconds_to_opening * 1000;
const SPREAD_SECONDS = 4;
const LOST_SECONDS = 10;

let timer = 0;
let first = null;

/** Fill the braces of a text. */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

function put(name, text) {
  const place = slot(name);
  if (place && place.textContent !== text) place.textContent = text;
}

function tell(state, text) {
  slot("status").dataset.state = state;
  put("status", text);
}

function waitText(seconds) {
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 1 ? data.words.wait_soon : filled(data.words.wait_minutes, { n: minutes });
}

function show(told) {
  if (told.state === "before_opening") return put("wait", filled(data.words.here, { n: told.of }));
  first ??= told.number;
  put("number", filled(data.words.number, { n: told.number }));
  put("of", filled(data.words.of, { of: told.of }));
  put("wait", waitText(told.wait_seconds));
  document.title = `${told.number} · ${document.title.replace(/^\d+ · /, "")}`;
  const bar = slot("bar");
  bar.hidden = first <= 1;
  bar.value = first > 1 ? (first - told.number) / (first - 1) : 1;
}

/** Wait some seconds, spread so that those who wait do not ask together. */
function later(seconds) {
  clearTimeout(timer);
  let pause = seconds * (0.75 + Math.random() / 2);
  const left = opening === null ? null : (opening - performance.now()) / 1000;
  if (left !== null && left > -1) pause = Math.min(pause, Math.max(left, 0) + 0.5 + Math.random() * SPREAD_SECONDS);
  timer = setTimeout(ask, pause * 1000);
}

async function ask() {
  clearTimeout(timer);
  const answer = await fetch(data.url, { cache: "no-store" }).catch(() => null);
  // The ticket is too old, or gone with the cookies: the page draws another.
  if (answer?.status === 403) return location.reload();
  const told = answer?.ok ? await answer.json().catch(() => null) : null;
  if (!told) {
    tell("lost", data.words.lost);
    return later(Number(answer?.headers.get("Retry-After")) || LOST_SECONDS);
  }
  if (told.state === "admitted" || told.state === "free") {
    tell("turn", data.words.turn);
    document.title = data.words.turn;
    return location.assign(data.form);
  }
  // Cookies were deleted, or it has opened: the page looks different.
  if (told.state !== data.state) return location.reload();
  tell("", "");
  show(told);
  later(told.poll_seconds);
}

function tick() {
  const left = Math.max(Math.ceil((opening - performance.now()) / 1000), 0);
  const [days, hours] = [Math.floor(left / 86_400), Math.floor(left / 3600) % 24];
  const clock = [hours, Math.floor(left / 60) % 60, left % 60].map((part) => String(part).padStart(2, "0")).join(":");
  put("clock", days ? `${filled(data.words.days, { n: days })} ${clock}` : clock);
  if (left === 0) tell("", data.words.opening);
  else setTimeout(tick, 1000 - ((performance.now() - opening) % 1000 + 1000) % 1000);
}

if (opening !== null) tick();
// A phone stops the clocks of a page that is put away.
document.addEventListener("visibilitychange", () => document.hidden || ask());
addEventListener("online", ask);
later(data.poll_seconds);
