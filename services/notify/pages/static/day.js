// Keeps somebody's own day current.

import { follow, statusLine } from "/static/shared/live.js";
import { OVER, beginsAt, byTime, clock, copy, element, isForgotten, running, timeFrom, upcoming } from "./meetings.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const time = clock(facts.zone);
const meetings = new Map();
const now = timeFrom(facts.now);
const asked = new Set(Object.keys(facts.names));

const partners = (meeting) => meeting.parties.filter((p) => p.participant_id !== facts.me);

function company(party) {
  const native = party.native_organization || party.organization;
  const isChinese = facts.language === "zh";
  const [first, second] = isChinese ? [native, party.organization] : [party.organization, native];
  const line = element("li", "", "");
  line.append(element("strong", "", first));
  if (second !== first) line.append(" ", element("span", "other", second, isChinese ? "en" : "zh"));
  const name = facts.names[party.participant_id];
  if (name) line.append(element("span", "person", name));
  return line;
}

function card(meeting) {
  const [made, slot] = copy("meeting");
  made.dataset.state = meeting.state;
  slot("from").textContent = time(beginsAt(meeting));
  slot("to").textContent = time(Date.parse(meeting.ends_at));
  slot("point").textContent = meeting.point;
  slot("with").replaceChildren(...partners(meeting).map(company));
  slot("state").className = `badge state-${meeting.state}`;
  const state = isForgotten(meeting, now()) ? "forgotten" : meeting.state;
  slot("state").textContent = facts.texts[`state_${state}`] ?? meeting.state;
  slot("feedback").href = `/meetings/${meeting.meeting_id}/feedback`;
  slot("feedback").hidden = meeting.state !== "completed" || partners(meeting).length === meeting.parties.length;
  slot("late").hidden = !meeting.delay_minutes;
  slot("late").textContent = facts.texts.minutes_late.replace("{minutes}", meeting.delay_minutes);
  // Whoever interprets knows it.
  slot("interpreter").hidden = meeting.interpreter_id === facts.me;
  slot("interpreter").textContent =
    facts.texts[meeting.interpreter_id ? "with_interpreter" : "without_interpreter"];
  return made;
}

function fill(id, those) {
  const section = document.getElementById(id);
  section.hidden = !those.length;
  section.querySelector("[data-list]").replaceChildren(...those.map(card));
}

function render() {
  const ordered = [...meetings.values()].sort(byTime);
  const first = running(ordered) ?? upcoming(ordered, now());
  const isOver = (m) => OVER.has(m.state) || isForgotten(m, now());
  const over = ordered.filter(isOver);
  fill("next", first ? [first] : []);
  fill("others", ordered.filter((m) => m !== first && !isOver(m)));
  fill("over", over);
  document.getElementById("all-over").hidden = Boolean(first) || !over.length;
  document.getElementById("empty").hidden = ordered.length > 0;
}

function take(meeting) {
  const isMine = meeting.interpreter_id === facts.me || partners(meeting).length < meeting.parties.length;
  // A meeting may be given to another interpreter; the one before hears of it this way.
  if (isMine) meetings.set(meeting.meeting_id, meeting);
  else meetings.delete(meeting.meeting_id);
}

/** Ask for the names of people who were not there when the page was made, once each. */
async function askForNames() {
  const unknown = [...meetings.values()]
    .flatMap(partners)
    .map((party) => party.participant_id)
    .filter((id) => !asked.has(id));
  if (!unknown.length) return;
  unknown.forEach((id) => asked.add(id));
  const answer = await fetch(`/day/names?stop=${facts.stop}`).catch(() => null);
  if (!answer?.ok) return;
  Object.assign(facts.names, await answer.json());
  render();
}

follow(`/api/v1/live/me?stop_id=${facts.stop}`, {
  snapshot(all) {
    meetings.clear();
    all.forEach(take);
    render();
    askForNames();
  },
  change(meeting) {
    take(meeting);
    render();
    askForNames();
  },
  status: statusLine(document.getElementById("live-status")),
});

// What nobody calls is given up after a while, though nothing is told of it.
const forgotten = () => [...meetings.values()].filter((m) => isForgotten(m, now())).length;
let known = 0;
setInterval(() => {
  if (forgotten() === known) return;
  known = forgotten();
  render();
}, 60_000);
