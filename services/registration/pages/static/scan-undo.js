// Takes a check-in back: asks why, and tells the server. Without the network nothing is taken back.

const ANSWER_MILLISECONDS_MAX = 8_000;

/** The time of the arrival that a scan stands for; null where it stands for none. */
export function arrivalOf(scan) {
  const { outcome, at } = scan.answer
    ? { outcome: scan.answer.outcome, at: scan.answer.checked_in_at }
    : scan.guess;
  return outcome === "refused" || !at ? null : at;
}

/** Whether the arrival of a scan was taken back since: on this phone, or elsewhere by what its list says. */
export function isUndone(scan, roster) {
  const at = arrivalOf(scan);
  const item = scan.answer ? scan.answer.programme_item_id : scan.guess.item;
  const person = roster?.byId.get((scan.person ?? scan.answer?.participant)?.id);
  const known = person?.registrations.find((one) => one.programme_item_id === item);
  const isSince = (undone) => Boolean(at && undone) && Date.parse(at) <= Date.parse(undone);
  return isSince(scan.undone_at) || isSince(known?.check_in_undone_at);
}

/** Whether a scan's check-in can be taken back here: the server knows it, and it stands. */
export function canUndo(scan, roster) {
  return Boolean(scan.answer?.registration_id && arrivalOf(scan)) && !isUndone(scan, roster);
}

/** The scans of the same person at the same item that no server has answered. */
export function alike(scan, scans) {
  return scans.filter((one) => !one.answer && one.person?.id === scan.person?.id && one.guess.item === scan.guess.item);
}

/** Whether a check-in can be forgotten here: no server can have heard of it, nor of another look at it. */
export function canWithdraw(scan, scans) {
  if (scan.answer || !scan.person || !arrivalOf(scan)) return false;
  const looks = alike(scan, scans);
  // Where none of them let anybody in, the server knew of an arrival before.
  return looks.some((one) => one.guess.outcome === "accepted") && !looks.some((one) => one.is_tried);
}

export class Undo {
  /**
   * @param {HTMLDialogElement} dialog asks why
   * @param {View} view has the words
   * @param {(scan: object, undone: string) => Promise<void>} done is told of what was taken back, and when
   */
  constructor(dialog, view, done) {
    this.dialog = dialog;
    this.view = view;
    this.done = done;
    this.scan = null;
    for (const button of this.#reasons()) {
      button.addEventListener("click", () => this.#take(button.dataset.mistake));
    }
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** Ask about the check-in of a scan. */
  ask(scan) {
    this.scan = scan;
    const person = scan.answer.participant ?? scan.person;
    const name = person ? this.view.name(person) : this.view.text("scan_somebody");
    this.dialog.querySelector("h2").textContent = this.view.text("scan_undo_sure", { name });
    this.#say("");
    this.#enable(true);
    this.dialog.showModal();
  }

  async #take(mistake) {
    const scan = this.scan;
    this.#enable(false);
    this.#say("");
    const answer = await this.#post(scan, mistake).catch(() => null);
    const content = await answer?.json().catch(() => null);
    if (answer?.ok && content) {
      await this.done(scan, content.check_in_undone_at);
      if (this.scan === scan) this.dialog.close();
    } else if (this.scan === scan) {
      const isWorthAnother = !answer || answer.status >= 500;
      const known = { checked_in_again: "scan_undo_again" };
      this.#say(isWorthAnother ? "scan_undo_failed" : known[content?.code] ?? "scan_undo_refused");
      this.#enable(isWorthAnother);
    }
  }

  /** One that is sent again after it was heard changes nothing: it says which check-in it means. */
  #post(scan, mistake) {
    const url = `/api/v1/registrations/${scan.answer.registration_id}/check-in/undo`;
    const body = JSON.stringify({ reason: mistake, checked_in_at: scan.answer.checked_in_at });
    const headers = { "Content-Type": "application/json" };
    return fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MILLISECONDS_MAX) });
  }

  #say(key) {
    const line = this.dialog.querySelector('[data-slot="fault"]');
    line.textContent = key && this.view.text(key);
    line.hidden = !key;
  }

  #enable(isOn) {
    for (const button of this.#reasons()) button.disabled = !isOn;
  }

  #reasons() {
    return this.dialog.querySelectorAll("[data-mistake]");
  }
}
