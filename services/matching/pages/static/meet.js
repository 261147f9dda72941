// A tap on a card changes that card alone: the list stays where it is. Without this, forms work.

const main = document.querySelector("main");

for (const tab of main.querySelectorAll(".tab[aria-current]")) {
  tab.scrollIntoView({ inline: "center", block: "nearest" });
}

main.addEventListener("submit", async (event) => {
  const card = event.target.closest("[data-card]");
  if (!card || event.target.method !== "post") return;
  event.preventDefault();
  await swap(card, event.target, event.submitter);
});

async function swap(card, form, pressed) {
  const sent = new FormData(form, pressed);
  card.setAttribute("aria-busy", "true");
  try {
    // The answer leads to the whole page; what it says of a refusal is there alone.
    const answer = await fetch(form.action, { method: "POST", body: sent });
    if (!answer.ok || new URL(answer.url).searchParams.has("refused")) throw new Error(answer.status);
    const fresh = await fetch(card.dataset.card, { headers: { Accept: "text/html" } });
    if (!fresh.ok) throw new Error(fresh.status);
    const page = parsed(await fresh.text());
    const name = pressed?.getAttribute("value");
    card.replaceWith(page);
    page.querySelector(`[value="${CSS.escape(name ?? "")}"]`)?.focus();
    tally(parsed(await answer.text(), ".tally"));
  } catch {
    plainly(form, pressed);
  }
}

function parsed(text, selector = "[data-card]") {
  return new DOMParser().parseFromString(text, "text/html").querySelector(selector);
}

function tally(counted) {
  if (counted) document.querySelector(".tally").replaceWith(counted);
}

function plainly(form, pressed) {
  if (pressed?.name) form.append(hidden(pressed.name, pressed.value));
  HTMLFormElement.prototype.submit.call(form);
}

function hidden(name, value) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name, value });
  return field;
}
