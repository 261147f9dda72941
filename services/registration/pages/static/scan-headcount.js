// Who is there: asked every few seconds while somebody looks, answered with nothing while it stays so.

import { forgetAtSignOut, forgetThoseOver } from "/static/registration/scan-store.js";

const EVERY_MILLISECONDS = 5_000;
const SOON_MILLISECONDS = 600;

/** Keep a head-count current; its texts, its stop and the zone of its clock are data attributes. */
export function follow(element) {
  let tag = null;
  let timer = null;
  let count = null;
  const clock = (moment) =>
    new Date(moment).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: element.dataset.zone });

  const show = () => {
    if (!count) return;
    const item = count.items.find((one) => one.programme_item_id === element.dataset.item);
    const { expected, arrived, last_arrival_at: last } = item ?? count;
    const refused = Object.values(count.refused).reduce((sum, number) => sum + number, 0);
    const put = (name, text) => {
      const slot = element.querySelector(`[data-slot="${name}"]`);
      if (slot) slot.textContent = text;
    };
    put("arrived", arrived);
    put("expected", element.dataset.of.replace("{expected}", expected));
    put("last", last ? element.dataset.last.replace("{time}", clock(last)) : "");
    put("refused", refused ? element.dataset.refused.replace("{number}", refused) : "");
    for (const cell of document.querySelectorAll("[data-arrived]")) {
      const counted = count.items.find((one) => one.programme_item_id === cell.dataset.arrived);
      if (counted) cell.textContent = counted.arrived;
    }
  };

  const ask = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    const headers = tag ? { "If-None-Match": tag } : {};
    const url = `/api/v1/stops/${element.dataset.stop}/headcount`;
    const answer = await fetch(url, { headers, cache: "no-store" }).catch(() => null);
    if (answer?.ok) {
      tag = answer.headers.get("ETag");
      count = await answer.json().catch(() => count);
    }
    element.dataset.state = answer?.ok || answer?.status === 304 ? "live" : "lost";
    show();
    if (![401, 403].includes(answer?.status)) timer = setTimeout(ask, EVERY_MILLISECONDS);
  };
  document.addEventListener("visibilitychange", ask);
  ask();
  // Once for scans that are answered together.
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, SOON_MILLISECONDS);
  };
  return { show, soon };
}

for (const element of document.querySelectorAll("[data-headcount]")) {
  follow(element);
  forgetAtSignOut();
  forgetThoseOver();
}
