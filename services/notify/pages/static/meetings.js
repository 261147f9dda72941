// Which meeting is next, for a person and at a table. The server's `order.py` has the same rules.

export const OVER = new Set(["completed", "no_show", "cancelled"]);
const RUNNING = ["called", "in_progress"];
const BEGUN = new Set([...RUNNING, "completed", "no_show"]);

const LATE_MAX = 30 * 60_000;
const PLAYED_AFTER = 3 * 24 * 3_600_000;

const labels = new Intl.Collator("en", { numeric: true });
export const byLabel = (a, b) => labels.compare(a, b);
export const byTime = (a, b) =>
  Date.parse(a.starts_at) - Date.parse(b.starts_at) || byLabel(a.point, b.point);

/** Nobody called it, and it would be over for a while; of long ago only what happens counts. */
export function isForgotten(meeting, now) {
  const over = now - Date.parse(meeting.ends_at) - meeting.delay_minutes * 60_000;
  return meeting.state === "scheduled" && LATE_MAX < over && over < PLAYED_AFTER;
}

/** The next scheduled meeting of some in order; what a later one has overtaken comes last. */
export function upcoming(meetings, now) {
  const reached = Math.max(
    0,
    ...meetings.filter((m) => BEGUN.has(m.state)).map((m) => Date.parse(m.starts_at)),
  );
  const scheduled = meetings.filter((m) => m.state === "scheduled" && !isForgotten(m, now));
  return scheduled.find((m) => Date.parse(m.starts_at) >= reached) ?? scheduled[0] ?? null;
}

/** The meeting that people are called to, or else the one they sit in. */
export function running(meetings) {
  for (const state of RUNNING) {
    const found = meetings.find((m) => m.state === state);
    if (found) return found;
  }
  return null;
}

/** Write times as the clock on the wall of a zone shows them. */
export function clock(zone) {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return (milliseconds) => format.format(milliseconds);
}

/** Tell the time, from what it was where a page was made: the clock here may be wrong. */
export function timeFrom(made) {
  const ahead = Date.parse(made) - Date.now();
  return () => Date.now() + ahead;
}

export const beginsAt = (meeting) =>
  Date.parse(meeting.starts_at) + meeting.delay_minutes * 60_000;

/** Make an element with a class and a text. */
export function element(name, className, text, lang) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (lang) made.lang = lang;
  made.textContent = text;
  return made;
}

/** Copy the template with this id, and give a function that finds its slots. */
export function copy(id) {
  const made = document.getElementById(id).content.firstElementChild.cloneNode(true);
  return [made, (slot) => made.querySelector(`[data-slot="${slot}"]`)];
}
