// A form on the page: questions come and go, faults are said beside their fields, nothing is lost.

import { judged } from "./form.js";
import { draftOf, dropOldDrafts } from "./form_draft.js";
import { wireFiles } from "./form_files.js";
import { send } from "./form_send.js";

const SAVE_MILLISECONDS = 400;
const SETTLE_MILLISECONDS = 300;
const PREFIX = "answer.";

/** Fill the braces of a text. */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

function wire(form) {
  const data = JSON.parse(document.getElementById(form.dataset.form).textContent);
  const rules = new Map(data.questions.map((question) => [question.code, question]));
  const touched = new Set();
  // Files that were not taken, by question: what was wrong with them stays until there is another.
  data.refused = {};

  const valuesOf = (name) => new FormData(form).getAll(name);
  const readings = {
    several: (name) => valuesOf(name),
    consent: (name) => valuesOf(name).includes("yes"),
    file: (name) => form.querySelector(`[data-file][name="${CSS.escape(name)}"]`).value,
  };
  const answers = () =>
    Object.fromEntries(
      data.questions.map(({ code, kind }) => {
        const read = readings[kind] ?? ((name) => valuesOf(name)[0] ?? "");
        return [code, read(PREFIX + code)];
      }),
    );
  const facts = () => {
    const items = data.items ?? valuesOf("items");
    const kinds = data.items_kinds ?? items.map((id) => data.kinds[id]);
    const side = form.elements.side?.value ?? data.side;
    return { side, country: form.elements.country?.value ?? data.country, items, kinds, files: data.files };
  };

  const say = (box, text) => {
    const note = box.querySelector("small.fault");
    note.textContent = text;
    note.hidden = !text;
    box.classList.toggle("wrong", Boolean(text));
    for (const input of box.querySelectorAll("[aria-describedby]")) input.toggleAttribute("aria-invalid", Boolean(text));
  };
  const sayOf = ({ reason, limit }) =>
    filled(data.words[`fault_answer_${reason}`], {
      limit: reason === "file_size" ? String(Math.round(limit / 104857.6) / 10) : limit,
    });

  /** Show what is asked now; `all` says every fault, else only where somebody has answered. */
  const refresh = (all = false) => {
    const verdict = judged(data.questions, answers(), facts());
    for (const box of form.querySelectorAll("[data-question]")) {
      const code = box.dataset.question;
      const wrong = verdict.wrong[code];
      box.hidden = !verdict.shown.includes(code);
      if (data.refused[code]) {
        say(box, data.refused[code]);
        continue;
      }
      const isSaid = all || (touched.has(code) && !["required", "consent"].includes(wrong?.reason));
      if (!wrong || isSaid) say(box, wrong ? sayOf(wrong) : "");
    }
    return verdict;
  };

  const isMissing = (box) => {
    const inputs = [...box.querySelectorAll("input, select, textarea")];
    if (box.hasAttribute("data-needs-one")) return !inputs.some((input) => input.checked);
    return inputs.some((input) => (input.required && !input.value.trim()) || input.validity.typeMismatch);
  };
  const nameOf = (box) => box.id.replace("field-", "");
  const own = () => [...form.querySelectorAll("[id^=field-]:not([data-question])")].filter((box) => nameOf(box) in data.faults && box.querySelector("small.fault"));
  const eitherName = (box) =>
    nameOf(box) === "organization_name" && form.elements.organization_native_name?.value.trim();

  const labelOf = (box) => {
    if (nameOf(box) === "consent") return data.words.form_consent_short;
    const label = box.querySelector("legend, span").cloneNode(true);
    label.querySelectorAll("small, .badge").forEach((extra) => extra.remove());
    return label.textContent.trim();
  };
  const summarize = (boxes) => {
    const summary = document.getElementById("form-faults");
    const text = boxes.length === 1 ? data.words.form_faults_one : data.words.form_faults_many;
    summary.querySelector("p").textContent = filled(text, { n: boxes.length });
    summary.querySelector("ul").replaceChildren(
      ...boxes.map((box) => {
        const line = document.createElement("li");
        const link = document.createElement("a");
        link.href = `#${box.id}`;
        link.textContent = labelOf(box);
        line.append(link);
        return line;
      }),
    );
    summary.hidden = boxes.length === 0;
    if (boxes.length) summary.focus();
  };
  const check = () => {
    data.refused = {};
    refresh(true);
    for (const box of own()) say(box, isMissing(box) && !eitherName(box) ? data.faults[nameOf(box)] : "");
    const boxes = [...form.querySelectorAll("[id^=field-].wrong:not([hidden])")];
    summarize(boxes);
    return boxes.length === 0;
  };

  const status = document.getElementById("form-status");
  const tell = (state, text) => {
    status.dataset.state = state;
    status.textContent = text;
  };
  const files = wireFiles(form, data, { changed: () => form.dispatchEvent(new Event("input")), filled });
  const draft = draftOf(form);

  if (!form.hasAttribute("data-sent")) draft.restore(document.getElementById("draft-note"), data.words.form_draft_restored);
  let timer = 0;
  const changed = (event) => {
    const box = event.target.closest?.("[data-question]");
    if (box) touched.add(box.dataset.question);
    refresh();
    const field = event.target.closest?.("[id^=field-].wrong:not([data-question])");
    if (field && (!isMissing(field) || eitherName(field))) say(field, "");
    keep();
  };
  const keep = () => {
    clearTimeout(timer);
    timer = setTimeout(draft.save, SAVE_MILLISECONDS);
  };
  const isTyped = ({ target }) => target.matches?.("input[type=text], input[type=email], textarea");
  form.addEventListener("change", (event) => {
    // What is typed ends by a tap on something else, which must not move away under the finger.
    if (isTyped(event)) setTimeout(() => changed(event), SETTLE_MILLISECONDS);
    else changed(event);
  });
  form.addEventListener("input", (event) => {
    // While somebody types, a fault that was not there yet would only disturb.
    if (!isTyped(event) || event.target.closest(".wrong")) changed(event);
    else keep();
  });
  form.addEventListener("reset", () => setTimeout(() => { touched.clear(); refresh(); }));
  // A phone may put the page away without a word.
  window.addEventListener("pagehide", () => form.isConnected && !form.hasAttribute("data-done") && draft.save());

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    if (files.areUnderWay()) return tell("waiting", data.words.form_file_under_way);
    if (!check()) return tell("", "");
    draft.save();
    form.setAttribute("aria-busy", "true");
    const buttons = form.querySelectorAll("button[type=submit]");
    buttons.forEach((button) => (button.disabled = true));
    const answer = await send(form, (state, n) => tell(state, filled(data.words[`form_${state}`], { n })));
    form.removeAttribute("aria-busy");
    buttons.forEach((button) => (button.disabled = false));
    if (!answer) return;
    if (answer.ok) {
      form.setAttribute("data-done", "");
      clearTimeout(timer);
      draft.clear();
    }
    if (answer.redirected) return location.assign(answer.url);
    show(await answer.text());
  });

  refresh();
}

/** Put the answer's page in the place of this one. */
function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  wireAll();
  scrollTo(0, 0);
  document.querySelector("#form-faults:not([hidden])")?.focus();
}

function wireAll() {
  for (const form of document.querySelectorAll("form[data-form]")) wire(form);
}

dropOldDrafts();
wireAll();
