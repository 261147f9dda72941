// Sending a form until there is an answer. Its key makes a repeated request one registration.

const WAITS_SECONDS = [1, 2, 4, 8, 15];
const ATTEMPTS_MAX = 40;
const ANSWER_SECONDS_MAX = 30;
const AGAIN = new Set([429, 502, 503, 504]);

/**
 * Send a form; gives the answer, or null where somebody has to press the button again.
 * @param {HTMLFormElement} form
 * @param {(state: "sending" | "waiting" | "gave_up" | "failed" | "too_large", attempt: number) => void} tell
 */
export async function send(form, tell) {
  // Read once: what is sent again is the same, letter by letter.
  const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  const body = new URLSearchParams(fields);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    tell(attempt === 1 ? "sending" : "waiting", attempt);
    const answer = await once(form, body);
    if (answer?.status === 413) return told(tell, "too_large");
    if (answer?.status === 500) return told(tell, "failed");
    if (answer && !AGAIN.has(answer.status)) return answer;
    tell("waiting", attempt);
    await pause(WAITS_SECONDS[Math.min(attempt, WAITS_SECONDS.length) - 1]);
  }
  return told(tell, "gave_up");
}

async function once(form, body) {
  try {
    return await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(ANSWER_SECONDS_MAX * 1000),
    });
  } catch {
    return null;
  }
}

/** Wait some seconds, or until the browser says that it is connected again. */
export function pause(seconds) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000 * (0.75 + Math.random() / 2));
    addEventListener("online", done);
  });
}

function told(tell, state) {
  tell(state, 0);
  return null;
}
