// Keeps the board current, and sends the commands of the day.

import { follow, statusLine } from "/static/shared/live.js";

const GATHER_MILLISECONDS = 250;
const SOLVING_MILLISECONDS = 1000;

const content = document.getElementById("content");
const dialog = document.getElementById("meeting");
const fault = document.getElementById("meeting-fault");
const board = `/stops/${content.dataset.stop}/board`;
let waiting = null;
let following = null;
let open = null;

/** Ask for the changed part of the page, once for all changes that come together. */
function refresh(milliseconds = GATHER_MILLISECONDS) {
  waiting ??= setTimeout(async () => {
    waiting = null;
    const answer = await fetch(`${board}/content`).catch(() => null);
    if (answer?.ok) replace(await answer.text());
    followSolver();
  }, milliseconds);
}

/** Show the board anew where its reader was: at that table, on that meeting, with that list open. */
function replace(text) {
  const places = [...content.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  const focused = content.contains(document.activeElement) && document.activeElement.dataset.meeting;
  const isOpen = content.querySelector("#schedule details")?.open;
  content.innerHTML = text;
  for (const [number, one] of [...content.querySelectorAll(".scroll")].entries())
    one.scrollLeft = places[number] ?? 0;
  const details = content.querySelector("#schedule details");
  if (details && isOpen !== undefined) details.open = isOpen;
  if (focused) card(focused)?.focus({ preventScroll: true });
}

function isSolving() {
  return ["queued", "running"].includes(content.querySelector("[data-progress]")?.dataset.progress);
}

/** While a schedule is being made ask for its card alone, and for the whole when it is there. */
function followSolver() {
  if (!isSolving()) return;
  following ??= setTimeout(async () => {
    following = null;
    const answer = await fetch(`${board}/schedule`).catch(() => null);
    const card = content.querySelector("#schedule");
    if (answer?.ok && card) {
      const isOpen = card.querySelector("details")?.open;
      card.outerHTML = await answer.text();
      const details = content.querySelector("#schedule details");
      if (details && isOpen !== undefined) details.open = isOpen;
    }
    if (isSolving()) followSolver();
    else refresh(0);
  }, SOLVING_MILLISECONDS);
}

function card(id) {
  return content.querySelector(`[data-meeting="${CSS.escape(id)}"]`);
}

/** Say why a command was not carried out; without a problem nothing was answered. */
function complain(problem, command) {
  const code = problem ? (problem.code === "invalid" ? command : problem.code) : "offline";
  const known = JSON.parse(fault.dataset.known);
  fault.textContent = known[code] ?? fault.dataset.other.replace("{detail}", problem?.detail ?? "");
  fault.hidden = false;
}

async function fillOptions(id) {
  const select = dialog.querySelector("#spot");
  select.replaceChildren(new Option(select.dataset.none, ""));
  const answer = await fetch(`/api/v1/meetings/${id}/options?limit=40`).catch(() => null);
  if (!answer?.ok || id !== open) return;
  const { items } = await answer.json();
  if (!items.length) return;
  select.replaceChildren(
    ...items.map((spot) => new Option(`${timeOf(spot.starts_at)}  ${spot.point}`, JSON.stringify(spot))),
  );
}

/** Write a time as the stop's clock shows it, whatever the browser's zone is. */
function timeOf(moment) {
  const shown = { hour: "2-digit", minute: "2-digit", timeZone: content.dataset.zone };
  return new Intl.DateTimeFormat("en-GB", shown).format(new Date(moment));
}

/** Offer the two, and both; whoever alone has not arrived is chosen beforehand, else nobody is. */
function askWhoIsAbsent(select, parties) {
  const ids = parties.map((party) => party.dataset.participant);
  const missing = parties.filter((party) => !party.querySelector(".here"));
  select.replaceChildren(
    new Option(select.dataset.none, ""),
    ...parties.map((party) => new Option(party.querySelector(".company").textContent, party.dataset.participant)),
    new Option(select.dataset.both, ids.join(" ")),
  );
  select.value = missing.length === 1 ? missing[0].dataset.participant : "";
}

function show(button) {
  open = button.dataset.meeting;
  fault.hidden = true;
  for (const asked of dialog.querySelectorAll("[data-plain]")) asked.textContent = asked.dataset.plain;
  dialog.querySelector("#meeting-title").textContent = `${button.dataset.time} · ${button.dataset.point}`;
  const parties = [...button.querySelectorAll(".party")];
  dialog.querySelector("#meeting-facts").replaceChildren(
    ...parties.flatMap((party) => [party.cloneNode(true), document.createElement("br")]),
  );
  for (const control of dialog.querySelectorAll("[data-command]")) {
    const { from, locked } = control.dataset;
    control.hidden = !from.split(" ").includes(button.dataset.state) || (locked && locked !== button.dataset.locked);
  }
  const absent = dialog.querySelector("#absent");
  if (absent) askWhoIsAbsent(absent, parties);
  if (absent && button.dataset.state !== "completed") fillOptions(open);
  dialog.showModal();
}

async function send(command, body) {
  const revision = card(open)?.dataset.revision;
  if (revision === undefined) return complain({ code: "stale_revision" });
  const answer = await fetch(`/api/v1/meetings/${open}/${command}`, {
    method: "POST",
    headers: { "If-Match": `"${revision}"`, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  }).catch(() => null);
  if (answer?.ok) {
    dialog.close();
  } else {
    complain(await answer?.json().catch(() => ({})), command);
  }
  refresh(0);
}

function bodyOf(form) {
  if (form.dataset.command === "no-show") return { absent: form.elements.absent.value.split(" ") };
  if (form.dataset.command === "delay") return { minutes: Number(form.elements.minutes.value) };
  if (form.dataset.command !== "move") return undefined;
  const spot = JSON.parse(form.elements.spot.value);
  return { starts_at: spot.starts_at, point_id: spot.point_id };
}

content.addEventListener("click", (event) => {
  const button = event.target.closest("[data-meeting]");
  if (button) show(button);
});
dialog.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-command]");
  if (button) send(button.dataset.command);
});
dialog.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.command) return;
  event.preventDefault();
  const button = form.querySelector("[data-sure]");
  if (button && button.dataset.sure !== button.textContent) {
    [button.dataset.plain, button.textContent] = [button.textContent, button.dataset.sure];
  } else if (form.dataset.command !== "move" || form.elements.spot.value) {
    send(form.dataset.command, bodyOf(form));
  }
});

follow(`/api/v1/live/stops/${content.dataset.stop}`, {
  snapshot: () => refresh(),
  change: () => refresh(),
  status: statusLine(document.getElementById("live-status")),
});
followSolver();
