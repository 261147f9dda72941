// Lets this browser be told of changes, and stops it. The page says nothing where browsers cannot.
const part = document.getElementById("push");
const [on, off, trouble] = ["push-on", "push-off", "push-trouble"].map((id) => document.getElementById(id));

const show = (subscription) => {
  on.hidden = Boolean(subscription);
  off.hidden = !subscription;
};

const call = async (method, path, body) => {
  const answer = await fetch(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
};

const watched = (act) => async () => {
  trouble.hidden = true;
  try {
    await act();
  } catch {
    trouble.hidden = false;
  }
};

if ("serviceWorker" in navigator && "PushManager" in window) {
  part.hidden = false;
  const registered = navigator.serviceWorker.register("/messages/worker.js");
  const manager = registered.then((registration) => registration.pushManager);
  manager.then((it) => it.getSubscription()).then(show, () => show(null));

  on.addEventListener("click", watched(async () => {
    const given = { userVisibleOnly: true, applicationServerKey: part.dataset.key };
    const subscription = await (await manager).subscribe(given);
    const { endpoint, keys } = subscription.toJSON();
    await call("PUT", "/api/v1/messages/subscriptions", { endpoint, keys });
    show(subscription);
  }));

  off.addEventListener("click", watched(async () => {
    const subscription = await (await manager).getSubscription();
    if (subscription) {
      const query = new URLSearchParams({ endpoint: subscription.endpoint });
      await call("DELETE", `/api/v1/messages/subscriptions?${query}`);
      await subscription.unsubscribe();
    }
    show(null);
  }));
}
