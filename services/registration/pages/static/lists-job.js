// How far a decision about many is; when it is finished the page says who was refused.

const card = document.querySelector(".job");
const address = `/api/v1/registrations/bulk-decisions/${card.dataset.job}?limit=1`;

async function look() {
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const job = await answer.json();
      if (job.finished_at) return location.reload();
      card.querySelector(".through").textContent = job.done + job.refused;
      card.querySelector(".done").textContent = job.done;
      card.querySelector(".refused").textContent = job.refused;
      card.querySelector("progress").value = job.done + job.refused;
    }
  } catch {
    // The network is gone for a moment; the next look may find it.
  }
  setTimeout(look, 1000 + Math.random() * 500);
}

setTimeout(look, 700);
