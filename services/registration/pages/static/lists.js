// The bar that decides about many: it says how many are chosen, and is out of the way until some are.
// Without this module everything works too: the boxes and buttons are a plain form.

const form = document.querySelector("form.selection");
const boxes = [...form.querySelectorAll("input[name=id]")];
const page = form.querySelector("input.page");
const everything = form.querySelector("input[name=all]");
const bar = form.querySelector(".bulk");
const chosen = bar.querySelector(".chosen");

function show() {
  const number = boxes.filter((box) => box.checked).length;
  const some = everything.checked ? form.dataset.matching || "…" : number;
  bar.classList.toggle("waiting", some === 0);
  chosen.textContent = some === 0 ? form.dataset.none : form.dataset.one.replace("{n}", some);
  page.checked = everything.checked || (number > 0 && number === boxes.length);
  page.indeterminate = !page.checked && number > 0;
  for (const box of boxes) {
    box.disabled = everything.checked;
    box.closest("tr").classList.toggle("picked", box.checked || everything.checked);
  }
}

page.hidden = false;
page.addEventListener("change", () => {
  everything.checked = false;
  for (const box of boxes) box.checked = page.checked;
  show();
});
form.addEventListener("change", show);
// A row is a large target for a thumb; links and boxes keep their own meaning.
form.querySelector("tbody").addEventListener("click", (event) => {
  if (event.target.closest("a, input")) return;
  const box = event.target.closest("tr").querySelector("input[name=id]");
  if (!box || box.disabled) return;
  box.checked = !box.checked;
  show();
});
window.addEventListener("pageshow", show);
show();
