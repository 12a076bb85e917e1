import { postJson } from './html.js';
import { word } from './words.js';

const PATH = '/api/v1/console/push/subscriptions';
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const within = (promise, ms) => Promise.race([promise, new Promise((_, no) => setTimeout(no, ms, new Error('timeout')))]);

const deliver = subscription => {
  const { endpoint, keys } = subscription.toJSON();
  return postJson(PATH, { endpoint, p256dh: keys.p256dh, auth: keys.auth });
};

/** Tells the server again when the browser changed the subscription behind our back. */
export async function resync() {
  if (self.Notification?.permission !== 'granted' || !navigator.serviceWorker) return;
  const registration = await navigator.serviceWorker.ready, subscription = await registration.pushManager?.getSubscription();
  const endpoint = subscription?.endpoint ?? '';
  if (!endpoint || localStorage.getItem('push') === endpoint) return;
  if ((await deliver(subscription)).ok) localStorage.setItem('push', endpoint);
}

class PushSwitch extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector('[data-subscribe]');
    const ios = /iPhone|iPad/.test(navigator.userAgent) && navigator.standalone === false;
    if (ios) return this.tell('push_ios');
    if (!('PushManager' in self) || !('serviceWorker' in navigator)) return this.tell('push_unsupported');
    this.button.hidden = false;
    this.button.addEventListener('click', () => this.subscribe());
  }

  tell(name) {
    this.querySelector('[data-state]').textContent = word(name);
  }

  async subscribe() {
    this.button.setAttribute('aria-busy', 'true');
    try {
      if (await Notification.requestPermission() !== 'granted') return this.tell('push_blocked');
      const registration = await navigator.serviceWorker.ready;
      const options = { userVisibleOnly: true, applicationServerKey: bytes(this.dataset.key) };
      const subscription = await within(registration.pushManager.subscribe(options), 8000);
      if (!(await deliver(subscription)).ok) return this.tell('push_failed');
      localStorage.setItem('push', subscription.endpoint);
      this.tell('push_on');
    } catch {
      this.tell('push_failed');
    } finally {
      this.button.removeAttribute('aria-busy');
    }
  }
}
customElements.define('push-switch', PushSwitch);
