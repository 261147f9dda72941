// Drafts: what somebody typed and has not sent, kept in this browser for a few days and no longer.

const PREFIX = "tradewind-draft:";
const DAYS_MAX = 3;
// The server lets a file go that no form names; that it has to be chosen anew is better seen before sending.
const FILE_DAYS_MAX = 1;
const NEVER = new Set(["revision", "language"]);

/** Forget the drafts of forms that nobody came back to. */
export function dropOldDrafts() {
  attempt(() => {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(PREFIX) && !read(name)) localStorage.removeItem(name);
    }
  });
}

/** Give the draft of a form; what may not be kept in a browser throws nothing. */
export function draftOf(form) {
  const name = PREFIX + form.dataset.draft;

  const clear = () => attempt(() => localStorage.removeItem(name));
  const save = () => {
    if (!form.dataset.draft) return;
    const fields = {};
    for (const [field, value] of new FormData(form)) {
      if (typeof value === "string" && !isForbidden(form, field)) (fields[field] ??= []).push(value);
    }
    // What is nowhere ticked has to be known too.
    for (const input of form.querySelectorAll("input[type=checkbox], input[type=radio]")) {
      if (!isForbidden(form, input.name)) fields[input.name] ??= [];
    }
    const basis = form.elements.revision?.value ?? "";
    attempt(() => localStorage.setItem(name, JSON.stringify({ saved_at: Date.now(), basis, fields })));
  };
  const restore = (note, text) => {
    const kept = form.dataset.draft && read(name);
    if (!kept || kept.basis !== (form.elements.revision?.value ?? "") || !differs(form, kept.fields)) return;
    put(form, kept.fields, Date.now() - kept.saved_at < FILE_DAYS_MAX * 86_400_000);
    const time = new Date(kept.saved_at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    note.querySelector("p").textContent = text.replace("{time}", time);
    note.hidden = false;
    note.querySelector("button").onclick = () => {
      clear();
      note.hidden = true;
      form.reset();
    };
  };
  return { save, clear, restore };
}

/** A consent is given each time, and never by a browser that remembers it. */
function isForbidden(form, field) {
  if (NEVER.has(field)) return true;
  const input = form.querySelector(`[name="${CSS.escape(field)}"]`);
  return input?.hasAttribute("data-no-draft") || (input?.type === "checkbox" && input.value === "yes");
}

function differs(form, fields) {
  return Object.entries(fields).some(([field, values]) => {
    const now = new FormData(form).getAll(field).filter((value) => typeof value === "string");
    return field !== "key" && JSON.stringify(now) !== JSON.stringify(values);
  });
}

function put(form, fields, hasFiles) {
  for (const [field, values] of Object.entries(fields)) {
    for (const input of form.querySelectorAll(`[name="${CSS.escape(field)}"]`)) {
      if (["checkbox", "radio"].includes(input.type)) input.checked = values.includes(input.value);
      // The key too: if the form was sent and the answer lost, it is the same request.
      else if (input.type !== "file" && values.length && (hasFiles || !("file" in input.dataset))) input.value = values[0];
    }
  }
}

function read(name) {
  return attempt(() => {
    const kept = JSON.parse(localStorage.getItem(name) ?? "null");
    return kept && Date.now() - kept.saved_at < DAYS_MAX * 86_400_000 ? kept : null;
  });
}

function attempt(step) {
  try {
    return step();
  } catch {
    // Storage is full or forbidden: the form works without it.
    return null;
  }
}
