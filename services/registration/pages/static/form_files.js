// Files of a form: sent in parts before the form is, so that a lost connection costs one part.

import { pause } from "./form_send.js";

const ATTEMPTS_MAX = 20;

class Failed extends Error {}

/** Let the file inputs of a form send what is chosen; `data.files` then knows it. */
export function wireFiles(form, data, { changed, filled }) {
  let underWay = 0;

  for (const input of form.querySelectorAll("input[type=file]")) {
    const box = input.closest("[data-question]");
    const held = box.querySelector("[data-file]");
    const line = box.querySelector(".file");
    const code = box.dataset.question;
    const show = (text) => {
      line.hidden = !text;
      line.querySelector("span").textContent = text;
      line.querySelector("button").hidden = !held.value;
    };
    const put = (id, text) => {
      held.value = id;
      show(text);
      changed();
    };
    // The form sends the file's id, and not the file once more.
    input.removeAttribute("name");
    line.querySelector("button").addEventListener("click", () => put("", ""));
    input.addEventListener("change", async () => {
      const [file] = input.files;
      if (!file) return;
      input.value = "";
      const fault = tooBig(data, code, file);
      delete data.refused[code];
      if (fault) {
        data.refused[code] = filled(data.words.fault_answer_file_size, { limit: fault });
        return changed();
      }
      input.disabled = true;
      underWay += 1;
      try {
        const sent = await upload(data, code, file, (percent) =>
          show(percent === null ? data.words.form_file_waiting : filled(data.words.form_file_sending, { name: file.name, percent })),
        );
        data.files[sent.id] = { type: sent.type, bytes: sent.bytes };
        put(sent.id, filled(data.words.form_file_there, { name: sent.name }));
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        show("");
        data.refused[code] = filled(data.words[error.message], { name: file.name });
        changed();
      } finally {
        underWay -= 1;
        input.disabled = false;
      }
    });
  }
  return { areUnderWay: () => underWay > 0 };
}

function tooBig(data, code, file) {
  const most = data.questions.find((question) => question.code === code).limits.bytes_max ?? 5 * 1024 * 1024;
  return file.size > most ? String(Math.round(most / 104857.6) / 10) : null;
}

async function upload(data, code, file, progress) {
  progress(0);
  const begun = await ask(`/api/v1/missions/${data.mission}/questions/${data.ids[code]}/files`, progress, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? `${Math.random()}${Date.now()}` },
    body: JSON.stringify({ name: file.name.slice(-200) || "file", bytes: file.size }),
  });
  const path = `/api/v1/missions/${data.mission}/files/${begun.id}`;
  for (let at = 0; at < file.size; at += begun.chunk_bytes) {
    const body = file.slice(at, at + begun.chunk_bytes);
    await ask(`${path}/chunks/${at / begun.chunk_bytes}`, progress, { method: "PUT", body });
    progress(Math.min(99, Math.round((100 * (at + body.size)) / file.size)));
  }
  return ask(`${path}/finish`, progress, { method: "POST" });
}

async function ask(path, progress, request) {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    let answer = null;
    try {
      answer = await fetch(path, { ...request, signal: AbortSignal.timeout(60_000) });
    } catch {
      progress(null);
    }
    if (answer?.ok) return answer.json();
    if (answer && answer.status < 500 && answer.status !== 429) throw new Failed(await reason(answer));
    await pause(Math.min(attempt, 10));
  }
  throw new Failed("form_file_failed");
}

async function reason(answer) {
  const { code } = await answer.json().catch(() => ({}));
  if (code === "file_type") return "fault_answer_file_type";
  if (code === "files_full") return "form_file_full";
  return "form_file_failed";
}
