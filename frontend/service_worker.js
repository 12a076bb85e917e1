const VERSION = '__VERSION__', SHELL = __SHELL__, WORDS = __WORDS__;
const PAGES = `pages-${VERSION}`, API = '/api/v1/console/push';
const KEPT = /^\/($|approvals|workers|money|copilot|tickets|runs|ledger)/;

self.addEventListener('install', event => event.waitUntil(
  caches.open(VERSION).then(cache => cache.addAll(SHELL)).then(() => self.skipWaiting())));

self.addEventListener('activate', event => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== VERSION && name !== PAGES) await caches.delete(name);
  await self.clients.claim();
})()));

/** The newest page from the server; without one, the page as it was last seen; else the offline page. */
async function page(request) {
  const key = new URL(request.url).pathname;
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected && KEPT.test(key)) {
      const copy = answer.clone();
      caches.open(PAGES).then(cache => cache.put(key, copy)).catch(() => {});
    }
    return answer;
  } catch {
    return (await (await caches.open(PAGES)).match(key)) ?? caches.match('/offline');
  }
}

self.addEventListener('fetch', event => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (url.pathname.startsWith('/static/')) event.respondWith(caches.match(request).then(hit => hit ?? fetch(request)));
});

const send = (path, body) => fetch(API + path, {
  method: 'POST', credentials: 'same-origin', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
});

/** A push always shows something, whatever it holds: a browser takes the subscription away from those that do not. */
async function pushed(event) {
  let message = {};
  try { message = event.data?.json() ?? {}; } catch { /* shown as a plain notice */ }
  const n = message.notification ?? {};
  await self.registration.showNotification(n.title ?? WORDS.title, {
    body: n.body, tag: n.tag, lang: n.lang, renotify: Boolean(n.tag && n.renotify), silent: Boolean(n.silent),
    icon: WORDS.icon, badge: WORDS.badge, data: { ...n.data, navigate: n.navigate },
    actions: (n.actions ?? []).slice(0, 2).map(({ action, title }) => ({ action, title })),
  });
  if (n.data?.closed) for (const shown of await self.registration.getNotifications({ tag: n.tag })) shown.close();
  const count = message.app_badge ?? n.app_badge;
  if (count != null) await self.navigator.setAppBadge?.(Number(count)).catch(() => {});
  if (n.data?.receipt) await send('/receipts', { receipt: n.data.receipt }).catch(() => {});
}

self.addEventListener('push', event => event.waitUntil(pushed(event)));

async function open(path) {
  const target = new URL(path ?? '/', location.origin);
  for (const client of await self.clients.matchAll({ type: 'window', includeUncontrolled: true }))
    if (new URL(client.url).pathname === target.pathname) return client.focus();
  return self.clients.openWindow(target.origin === location.origin ? target.href : '/');
}

async function clicked({ notification, action }) {
  const data = notification.data ?? {}, token = data.tokens?.[action];
  if (!token) return open(data.navigate);
  const answer = await send('/decisions', { token }).catch(() => null);
  if (!answer?.ok) return open(data.navigate);
  const { title, body } = await answer.json();
  return self.registration.showNotification(title, { body, tag: notification.tag, silent: true, icon: WORDS.icon, data: { navigate: data.navigate } });
}

self.addEventListener('notificationclick', event => {
  event.notification.close();
  event.waitUntil(clicked(event));
});

self.addEventListener('pushsubscriptionchange', event => event.waitUntil((async () => {
  const options = event.oldSubscription?.options ?? { userVisibleOnly: true };
  const { endpoint, keys } = (event.newSubscription ?? await self.registration.pushManager.subscribe(options)).toJSON();
  await send('/subscriptions', { endpoint, p256dh: keys.p256dh, auth: keys.auth, replaces: event.oldSubscription?.endpoint });
})()));
