// Shows what is pushed. It names nobody: what there is to know is on the page it leads to.
self.addEventListener("push", (event) => {
  const { body, link, topic } = event.data.json();
  // A newer one on the same topic takes the older one's place, and is heard again.
  const about = { body, tag: topic, renotify: true, data: { link }, icon: "/static/shared/icon.svg" };
  event.waitUntil(self.registration.showNotification("Tradewind", about));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.link));
});
