import { getPage } from './html.js';
import { word } from './words.js';

const main = () => document.getElementById('main');
const QUIET = 45_000;
let heard = Date.now(), busy = false, again = false, last = '';

const typing = () => document.activeElement?.matches('input:not([type=checkbox],[type=radio]),textarea,select');
const held = () => typing() || document.querySelector('[aria-busy=true],[data-arm]:not([data-arm=""])');
const openOnes = root => [...root.querySelectorAll('details')];
const keyOf = (root, element) => element.closest('[id]')?.id + [...root.querySelectorAll(element.tagName)].indexOf(element);

/** Puts the page's newest state in place, keeping what is open and where the focus is. */
export async function refresh() {
  if (!main().hasAttribute('data-live')) return;
  if (busy) return void (again = true);
  if (held()) return void setTimeout(refresh, 1500);
  busy = true;
  document.documentElement.dataset.loading = '';
  try {
    const page = await getPage(location.pathname + location.search);
    if (!held()) swap(page);
    state('');
  } catch {
    state(navigator.onLine ? 'reconnecting' : 'offline');
  } finally {
    busy = false;
    delete document.documentElement.dataset.loading;
    if (again) { again = false; refresh(); }
  }
}

function swap(page) {
  const fresh = page.getElementById('main'), old = main();
  if (!fresh) return;
  old.dataset.at = fresh.dataset.at;
  if (fresh.innerHTML === last) return;
  last = fresh.innerHTML;
  const open = new Map(openOnes(old).map(d => [keyOf(old, d), d.open]));
  const focused = document.activeElement, focus = old.contains(focused) && focused.closest('[id]')?.id;
  for (const d of openOnes(fresh)) if (open.has(keyOf(fresh, d))) d.open = open.get(keyOf(fresh, d));
  old.replaceWith(document.adoptNode(fresh));
  if (focus) document.getElementById(focus)?.querySelector('a,button')?.focus({ preventScroll: true });
  badge(page);
  dispatchEvent(new Event('refreshed'));
}

function badge(page) {
  const count = page.getElementById('pending')?.textContent ?? '0';
  document.getElementById('pending').textContent = count;
  document.getElementById('badge').hidden = count === '0';
  navigator.setAppBadge?.(Number(count)).catch(() => {});
}

/** One amber line under the title whenever what is shown may be old. */
function state(name) {
  const line = document.getElementById('net');
  if (!line) return;
  line.hidden = !name;
  if (!name) return;
  const at = new Date(main().dataset.at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit' });
  line.textContent = word(name, { at });
}

function listen() {
  const stream = new EventSource('/events');
  const hear = () => { heard = Date.now(); };
  let timer;
  stream.addEventListener('beat', hear);
  stream.addEventListener('change', () => { hear(); clearTimeout(timer); timer = setTimeout(refresh, 120); });
  stream.addEventListener('open', hear);
  stream.addEventListener('error', () => state(navigator.onLine ? 'reconnecting' : 'offline'));
  return stream;
}

export function live() {
  let stream = listen();
  addEventListener('offline', () => state('offline'));
  addEventListener('online', refresh);
  addEventListener('settled', refresh);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    if (stream.readyState === EventSource.CLOSED || Date.now() - heard > QUIET) { stream.close(); stream = listen(); }
    refresh();
  });
  setInterval(() => Date.now() - heard > QUIET && state('reconnecting'), 5000);
  addEventListener('pagehide', () => stream.close());
  addEventListener('pageshow', e => { if (e.persisted) { stream = listen(); refresh(); } });
  if (!navigator.onLine) state('offline');
}
