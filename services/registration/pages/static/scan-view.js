// What the scanning page shows and sounds like.

const ICONS = { accepted: "✓", already: "↺", refused: "✕", unknown: "?", checking: "…", undone: "↩" };
const TONES = { accepted: [880, 1320], already: [660, 660], refused: [220, 165], unknown: [440], undone: [660, 440] };
const SHAKES = { accepted: 60, already: [60, 60, 60], refused: 400, unknown: [60, 60, 200], undone: [60, 60] };
const TONE_SECONDS = 0.13;

export class View {
  constructor(page) {
    this.page = page;
    this.words = JSON.parse(document.getElementById("words").textContent);
    this.isChinese = document.documentElement.lang.startsWith("zh");
    this.card = document.getElementById("result");
    this.sound = null;
  }

  text(key, values = {}) {
    const filled = Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), this.words[key]);
    return filled;
  }

  clock(moment) {
    const how = { hour: "2-digit", minute: "2-digit", timeZone: this.page.dataset.zone };
    return new Date(moment).toLocaleTimeString("en-GB", how);
  }

  name(person) {
    return (this.isChinese && person.native_name) || person.full_name;
  }

  otherName(person) {
    const other = this.isChinese ? person.full_name : person.native_name;
    return other && other !== this.name(person) ? other : "";
  }

  company(person) {
    return (this.isChinese && person.native_organization) || person.organization || "";
  }

  /** Show what became of a scan: the server's answer, or else what the phone's list says. */
  result(scan, roster = null) {
    const { outcome, reason } = scan.answer ?? scan.guess;
    const at = scan.answer ? scan.answer.checked_in_at : scan.guess.at;
    const person = scan.answer ? scan.answer.participant : scan.person;
    this.#show({
      kind: outcome,
      isVerified: Boolean(scan.answer),
      title: this.#title(outcome, reason, at, Boolean(scan.answer)),
      person,
      note: scan.answer ? "" : this.#unverified(outcome, roster),
    });
  }

  #title(outcome, reason, at, isVerified) {
    if (outcome === "refused") return this.text(`scan_reason_${reason}`);
    if (outcome === "already") return this.text("scan_already", { time: this.clock(at) });
    if (outcome === "unknown") return this.text("scan_unknown");
    return this.text(isVerified ? "scan_accepted" : "scan_listed");
  }

  #unverified(outcome, roster) {
    if (!roster) return this.text("scan_unverified_without_list");
    return this.text("scan_unverified", { time: this.clock(roster.taken_at) });
  }

  checking(scan) {
    this.#show({ kind: "checking", isVerified: true, title: this.text("scan_checking"), person: scan.person, note: "" }, false);
  }

  undone(scan) {
    const person = scan.answer.participant ?? scan.person;
    this.#show({ kind: "undone", isVerified: true, title: this.text("scan_undo_done"), person, note: this.text("scan_undo_done_hint") });
  }

  withdrawn(scan) {
    this.#show({ kind: "undone", isVerified: true, title: this.text("scan_undo_done"), person: scan.person, note: this.text("scan_withdrawn_hint") });
  }

  notBadge() {
    this.#show({ kind: "refused", isVerified: true, title: this.text("scan_not_badge"), person: null, note: this.text("scan_not_badge_hint") });
  }

  mistyped() {
    this.#show({ kind: "refused", isVerified: true, title: this.text("scan_mistyped"), person: null, note: this.text("scan_mistyped_hint") });
  }

  #show({ kind, isVerified, title, person, note }, isLoud = true) {
    const put = (name, text) => {
      const slot = this.card.querySelector(`[data-slot="${name}"]`);
      slot.textContent = text;
      slot.hidden = !text;
    };
    this.page.dataset.searching = "no";
    this.card.dataset.kind = kind;
    this.card.dataset.verified = isVerified ? "yes" : "no";
    put("icon", ICONS[kind]);
    put("title", title);
    put("name", person ? this.name(person) : "");
    put("other", person ? this.otherName(person) : "");
    put("company", person ? this.company(person) : "");
    put("note", note);
    if (isLoud) {
      // Two alike, one after the other, are seen to be two.
      this.card.classList.remove("new");
      void this.card.offsetWidth;
      this.card.classList.add("new");
      this.#signal(kind);
    }
  }

  /** Browsers let a page sound only after somebody touched it. */
  wakeSound() {
    this.sound ??= globalThis.AudioContext ? new AudioContext() : null;
    this.sound?.resume().catch(() => null);
  }

  #signal(kind) {
    navigator.vibrate?.(SHAKES[kind]);
    if (navigator.userActivation?.hasBeenActive) this.wakeSound();
    if (this.sound?.state !== "running") return;
    TONES[kind].forEach((frequency, place) => {
      const tone = this.sound.createOscillator();
      const level = this.sound.createGain();
      tone.type = kind === "refused" ? "square" : "sine";
      tone.frequency.value = frequency;
      level.gain.value = 0.2;
      tone.connect(level).connect(this.sound.destination);
      tone.start(this.sound.currentTime + place * TONE_SECONDS);
      tone.stop(this.sound.currentTime + (place + 1) * TONE_SECONDS);
    });
  }

  /** Say that somebody was let in whom the server does not let in. */
  contradiction(scan) {
    const list = document.getElementById("contradictions");
    const person = scan.answer.participant ?? scan.person;
    const line = document.createElement("li");
    line.textContent = this.text("scan_contradiction", {
      name: person ? this.name(person) : this.clock(scan.scanned_at),
      time: this.clock(scan.scanned_at),
      reason: this.text(`scan_reason_${scan.answer.reason}`),
    });
    list.append(line);
    list.hidden = false;
    this.#signal("refused");
  }

  connection(state, waiting) {
    const line = document.getElementById("connection");
    line.dataset.state = state;
    line.textContent = this.text(`scan_state_${state}`) + (waiting ? ` · ${this.text("scan_waiting", { number: waiting })}` : "");
    document.getElementById("sign-in").hidden = state !== "signed_out";
  }

  roster(kept) {
    document.getElementById("roster").textContent = kept
      ? this.text("scan_list", { number: kept.people.length, time: this.clock(kept.taken_at) })
      : this.text("scan_no_list");
  }

  camera(isOn) {
    this.page.dataset.camera = isOn ? "on" : "off";
    document.getElementById("camera").textContent = this.text(isOn ? "scan_camera_off" : "scan_camera_on");
  }

  noCamera(name) {
    const known = { NoReader: "scan_camera_no_reader", NoCamera: "scan_camera_insecure", NotAllowedError: "scan_camera_denied" };
    const line = document.getElementById("camera-fault");
    line.textContent = this.text(known[name] ?? "scan_camera_none");
    line.hidden = false;
    if (name === "NoReader" || name === "NoCamera") document.getElementById("camera").hidden = true;
  }

  /** List who was found, each with what can be done. */
  found(people, { text = "", roster = null, arrived = new Map(), choose = null } = {}) {
    const list = document.getElementById("found");
    const template = document.getElementById("found-one");
    list.replaceChildren(
      ...people.map((person) => {
        const row = template.content.cloneNode(true);
        const put = (name, value) => (row.querySelector(`[data-slot="${name}"]`).textContent = value);
        put("name", this.name(person));
        put("other", this.otherName(person));
        put("company", this.company(person));
        put("items", this.#items(person, roster, arrived));
        row.querySelector("[data-choose]").addEventListener("click", () => choose(person));
        this.#badgeLinks(row, person);
        return row;
      }),
    );
    list.hidden = !people.length;
    // A keyboard leaves half of the screen: what was found takes the place of the last result.
    this.page.dataset.searching = text ? "yes" : "no";
    const nobody = document.getElementById("nobody");
    nobody.hidden = !text || people.length > 0;
    nobody.textContent = text ? this.text(roster ? "scan_nobody" : "scan_no_list") : "";
  }

  #items(person, roster, arrived) {
    return person.registrations
      .map((one) => {
        const title = roster.itemsById.get(one.programme_item_id)?.title;
        const name = title?.[this.isChinese ? "zh" : "en"] || title?.en || title?.zh || "";
        const at = one.checked_in_at ?? arrived.get(`${person.id} ${one.programme_item_id}`);
        const state = at
          ? this.text("scan_there", { time: this.clock(at) })
          : this.text(`scan_status_${one.status}`);
        return `${name}: ${state}`;
      })
      .join(" · ");
  }

  #badgeLinks(row, person) {
    const base = `/desk/stops/${this.page.dataset.stop}`;
    row.querySelector("[data-print]").href = `${base}/badges.pdf?participant=${person.id}`;
    const form = row.querySelector("form");
    form.action = `${base}/participants/${person.id}/badge`;
    form.addEventListener("submit", (event) => {
      if (!confirm(this.text("scan_replace_sure", { name: this.name(person) }))) event.preventDefault();
    });
  }

  /** List the last scans, the latest first; `undo` takes one of them back. */
  recent(shown, undo) {
    const list = document.getElementById("recent");
    const template = document.getElementById("recent-one");
    list.replaceChildren(
      ...shown.map(({ scan, isUndone, canUndo }) => {
        const row = template.content.cloneNode(true).firstElementChild;
        row.dataset.kind = isUndone ? "undone" : (scan.answer ?? scan.guess).outcome;
        row.querySelector('[data-slot="text"]').textContent = this.#line(scan, row.dataset.kind);
        const button = row.querySelector("[data-undo]");
        button.hidden = !canUndo;
        button.addEventListener("click", () => undo(scan));
        return row;
      }),
    );
    list.closest("details").hidden = !shown.length;
  }

  #line(scan, kind) {
    const person = scan.answer ? scan.answer.participant : scan.person;
    const { reason } = scan.answer ?? scan.guess;
    const said = kind === "refused" ? this.text(`scan_reason_${reason}`) : this.text(`scan_short_${kind}`);
    const who = person ? this.name(person) : this.text("scan_somebody");
    const waits = scan.answer ? "" : ` · ${this.text("scan_not_sent")}`;
    return `${this.clock(scan.scanned_at)} ${ICONS[kind]} ${who} · ${said}${waits}`;
  }
}
