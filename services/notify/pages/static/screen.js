// Keeps the venue screen current, and its clock right.

import { follow, statusLine } from "/static/shared/live.js";
import { beginsAt, byLabel, byTime, clock, copy, element, running, timeFrom, upcoming } from "./meetings.js";

const SIZES = [6, 12, 20, 30, 42];

const facts = JSON.parse(document.getElementById("facts").textContent);
const time = clock(facts.zone);
const tables = document.getElementById("tables");
const meetings = new Map();
const now = timeFrom(facts.now);

// The server's `rendering.py` has the same sizes.
function fit(name) {
  const units = [...name].reduce((sum, letter) => sum + (letter.charCodeAt(0) < 128 ? 1 : 2), 0);
  return units <= 24 ? "" : units <= 32 ? "long" : "longer";
}

const sides = (meeting) => [...meeting.parties].sort((a, b) => (a.side < b.side ? -1 : 1));

function names(party) {
  const line = element("p", "party", "");
  const native = party.native_organization;
  const both = native && native !== party.organization ? [[native, "zh"]] : [];
  for (const [name, lang] of [...both, [party.organization, ""]])
    line.append(element("span", `name ${fit(name)}`, name, lang));
  return line;
}

function tile(point, those) {
  const present = running(those);
  const next = upcoming(those, now());
  const shown = present ?? next;
  const [made, slot] = copy("tile");
  const state = present?.state ?? (next ? "next" : "free");
  made.dataset.state = state;
  slot("point").textContent = point;
  slot("label").replaceChildren(
    element("span", "", facts.texts[state].zh, "zh"),
    " ",
    element("span", "", facts.texts[state].en, "en"),
  );
  slot("late").hidden = !shown?.delay_minutes;
  slot("late").textContent = `+${shown?.delay_minutes ?? 0}′`;
  slot("time").textContent = shown ? time(beginsAt(shown)) : "";
  slot("pair").replaceChildren(...(shown ? sides(shown).map(names) : []));
  slot("then").hidden = !(present && next);
  if (present && next) {
    const companies = sides(next).map((p) => p.native_organization || p.organization);
    slot("then").replaceChildren(
      element("span", "number", time(beginsAt(next))),
      ` ${companies.join(" · ")}`,
    );
  }
  return made;
}

function render() {
  const points = new Map();
  for (const meeting of [...meetings.values()].sort(byTime)) {
    points.set(meeting.point, [...(points.get(meeting.point) ?? []), meeting]);
  }
  const labels = [...points.keys()].sort(byLabel);
  tables.replaceChildren(...labels.map((label) => tile(label, points.get(label))));
  tables.dataset.size = SIZES.find((size) => labels.length <= size) ?? SIZES.at(-1);
  document.getElementById("empty").hidden = labels.length > 0;
}

follow(`/api/v1/live/stops/${facts.stop}`, {
  snapshot(all) {
    meetings.clear();
    for (const meeting of all) meetings.set(meeting.meeting_id, meeting);
    render();
  },
  change(meeting) {
    meetings.set(meeting.meeting_id, meeting);
    render();
  },
  status: statusLine(document.getElementById("live-status")),
});

setInterval(() => {
  document.getElementById("clock").textContent = time(now());
}, 1000);
// What nobody calls is given up after a while, though nothing is told of it.
setInterval(render, 60_000);
