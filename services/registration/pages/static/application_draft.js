// An application that was typed and not saved, kept on the device as registration's forms are.

import { draftOf, dropOldDrafts } from "./form_draft.js";

const SAVE_MILLISECONDS = 400;

function wire(form) {
  const draft = draftOf(form);
  if (form.hasAttribute("data-saved")) draft.clear();
  if (!form.hasAttribute("data-sent")) draft.restore(document.getElementById("draft-note"), form.dataset.restored);

  document.getElementById("draft-kept")?.removeAttribute("hidden");

  let timer = 0;
  let isTouched = false;
  form.addEventListener("input", () => {
    isTouched = true;
    clearTimeout(timer);
    timer = setTimeout(draft.save, SAVE_MILLISECONDS);
  });
  // The connection may be lost with what was sent: only the page that comes back saved forgets it.
  form.addEventListener("submit", draft.save);
  form.addEventListener("reset", () => {
    isTouched = false;
    clearTimeout(timer);
  });
  // A phone may put the page away without a word.
  window.addEventListener("pagehide", () => isTouched && draft.save());
}

dropOldDrafts();
document.querySelectorAll("form[data-draft]").forEach(wire);
