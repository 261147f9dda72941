// Copies the key that is shown this once; without a clipboard it is selected to be copied by hand.
const field = document.getElementById("key");
const button = document.getElementById("copy");
button.hidden = false;
field.addEventListener("focus", () => field.select());
button.addEventListener("click", async () => {
  field.focus();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = button.dataset.copied;
  } catch {
    field.select();
  }
});
