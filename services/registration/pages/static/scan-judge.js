// What the phone can say by itself, from its roster: as services/registration/domain/scans.py, unverified.

const OPENS_BEFORE_MILLISECONDS = 3 * 3_600_000;
const REASONS = {
  pending_approval: "not_confirmed", waitlisted: "waitlisted", offered: "not_accepted",
  offer_expired: "cancelled", rejected: "rejected", cancelled: "cancelled",
};
const IS_OVER = ["offer_expired", "rejected", "cancelled"];

/** Index a roster by what is shown at the door. */
export function indexed(roster) {
  const items = new Map(roster.items.map((item) => [item.id, item]));
  return {
    ...roster,
    byId: new Map(roster.people.map((person) => [person.id, person])),
    byDigest: new Map(roster.people.filter((one) => one.digest).map((person) => [person.digest, person])),
    lost: new Set(roster.revoked),
    itemsById: items,
  };
}

/**
 * Judge what was shown. `arrived` has the arrivals this phone knows of, by person and item.
 * @returns {{outcome: string, reason: string | null, person: object | null, item: string | null, at: string | null}}
 */
export function judge(roster, shown, itemId, now, arrived) {
  const say = (outcome, reason, person = null, item = null, at = null) => ({ outcome, reason, person, item, at });
  // Not on the list is no refusal: whoever registered a minute ago is not on it either.
  if (!roster) return say("unknown", null);
  if (shown.digest && roster.lost.has(shown.digest)) return say("refused", "revoked_badge");
  const person = roster.byId.get(shown.person) ?? roster.byDigest.get(shown.digest);
  if (!person) return say("unknown", null);
  const meant = chosen(person.registrations, roster.itemsById, itemId, now);
  if (!meant) return say("refused", "other_item", person);
  const item = meant.programme_item_id;
  if (meant.status !== "confirmed") return say("refused", REASONS[meant.status], person, item);
  const at = [meant.checked_in_at, arrived.get(`${person.id} ${item}`)].filter(Boolean).sort()[0];
  if (at) return say("already", null, person, item, at);
  const opens = Date.parse(roster.itemsById.get(item).starts_at) - OPENS_BEFORE_MILLISECONDS;
  return now < opens ? say("refused", "not_yet_open", person, item) : say("accepted", null, person, item, new Date(now).toISOString());
}

function chosen(registrations, items, itemId, now) {
  if (itemId) return registrations.find((one) => one.programme_item_id === itemId);
  const order = (one) => {
    const item = items.get(one.programme_item_id);
    const begins = Date.parse(item.starts_at);
    const isPast = Date.parse(item.ends_at) <= now;
    const isOpen = begins - OPENS_BEFORE_MILLISECONDS <= now && !isPast;
    return [!(isOpen && one.status === "confirmed"), isPast, IS_OVER.includes(one.status), isPast ? -begins : begins].map(Number);
  };
  const before = (one, other) => order(one).reduce((found, value, place) => found || value - order(other)[place], 0);
  return [...registrations].sort(before)[0];
}

/** Find people by what was typed: every word of it begins one of theirs. */
export function search(roster, text, limit) {
  const terms = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().match(/\p{Script=Han}+|[\p{L}\p{N}]+/gu);
  if (!roster || !terms) return [];
  const fits = (person) => {
    const words = person.search.split(" ");
    return terms.every((term) => words.some((word) => word.startsWith(term)));
  };
  return roster.people.filter(fits).slice(0, limit);
}
