// A file that is too large is refused before it is sent: that would take minutes.

const input = document.querySelector("input[data-bytes-max]");

input?.addEventListener("change", () => {
  const isTooLarge = input.files[0]?.size > Number(input.dataset.bytesMax);
  input.setCustomValidity(isTooLarge ? input.dataset.tooLarge : "");
  input.reportValidity();
});
