// How long the form may still be sent.

for (const place of document.querySelectorAll("[data-until]")) {
  const until = Date.parse(place.dataset.until);
  const show = () => {
    if (!place.isConnected) return;
    const minutes = Math.ceil((until - Date.now()) / 60_000);
    place.textContent = minutes > 0 ? place.dataset.left.replace("{n}", minutes) : place.dataset.over;
    if (minutes > 0) setTimeout(show, 15_000);
  };
  show();
}
