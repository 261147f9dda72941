// How far a list is; when its state is another one, the page shows what comes next.

const card = document.querySelector(".running");
const address = `/api/v1/imports/${card.dataset.list}`;

async function look() {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const list = await answer.json();
      if (list.state !== card.dataset.state) return location.reload();
      card.querySelector(".through").textContent = list.through;
      card.querySelector("progress").value = list.through;
    }
  } catch {
    // The network is gone for a moment; the next look may find it.
  }
  setTimeout(look, 1000 + Math.random() * 500);
}

setTimeout(look, 700);
