// Copies a secret that is shown once.
const secret = document.getElementById("secret");
const button = document.getElementById("copy");

if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(secret.value);
    button.textContent = button.dataset.copied;
  });
}
secret.addEventListener("focus", () => secret.select());
