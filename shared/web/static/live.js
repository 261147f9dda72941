// One live stream: a snapshot, then changes; it heals itself when a phone wakes up.

const RECONNECT_MILLISECONDS = 2000;
/** The server is silent for half a minute at most: after longer than this nobody is there. */
const SILENCE_MILLISECONDS = 45_000;

/**
 * Follow a stream of meetings.
 * @param {string} url the event stream
 * @param {{snapshot: (meetings: object[]) => void, change: (meeting: object) => void,
 *          status: (state: "connecting" | "live" | "lost", since: Date) => void}} on
 */
export function follow(url, on) {
  const known = new Map();
  let source = null;
  let lastId = "";
  let heardAt = new Date();
  let silence = null;
  let told = "";

  // Who has lost the stream is not shown as connecting again and again until it is there.
  const tell = (state) => {
    if (state === "connecting" && told === "lost") return;
    told = state;
    on.status(state, heardAt);
  };
  const wait = () => {
    clearTimeout(silence);
    silence = setTimeout(open, SILENCE_MILLISECONDS);
  };
  const alive = () => {
    heardAt = new Date();
    wait();
    tell("live");
  };
  const heard = (event) => {
    lastId = event.lastEventId || lastId;
    alive();
  };
  // A live state that is being filled again may be behind for a moment; nothing goes back here, nor
  // does what a snapshot left out come back older than it was.
  const newer = (meeting) => {
    const before = known.get(meeting.meeting_id);
    return before && before.revision > meeting.revision ? before : meeting;
  };
  const open = () => {
    source?.close();
    // A request that nobody answers is given up as well.
    wait();
    tell("connecting");
    const resume = lastId ? `${url.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(lastId)}` : "";
    source = new EventSource(url + resume);
    source.addEventListener("open", alive);
    source.addEventListener("beat", alive);
    source.addEventListener("snapshot", (event) => {
      heard(event);
      const meetings = JSON.parse(event.data).meetings.map(newer);
      for (const meeting of meetings) known.set(meeting.meeting_id, meeting);
      on.snapshot(meetings);
    });
    source.addEventListener("change", (event) => {
      heard(event);
      const meeting = JSON.parse(event.data);
      if ((known.get(meeting.meeting_id)?.revision ?? -1) >= meeting.revision) return;
      known.set(meeting.meeting_id, meeting);
      on.change(meeting);
    });
    source.addEventListener("error", () => {
      wait();
      tell("lost");
      // The browser retries by itself, except after an answer that is not a stream.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RECONNECT_MILLISECONDS);
    });
  };
  // A phone that slept may hold a stream that is dead without an error.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && open());
  window.addEventListener("pageshow", (event) => event.persisted && open());
  window.addEventListener("online", open);
  window.addEventListener("pagehide", () => {
    clearTimeout(silence);
    source?.close();
  });
  open();
}

/** Show the stream's state in the element with the id `live-status`; its texts and the zone of its clock are data attributes. */
export function statusLine(element) {
  return (state, since) => {
    const time = since.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: element.dataset.zone || undefined });
    element.dataset.state = state;
    element.textContent = (element.dataset[state] || "").replaceAll("{time}", time);
  };
}
