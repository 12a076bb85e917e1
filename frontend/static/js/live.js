import { getPage } from './html.js';
import { word } from './words.js';

const main = () => document.getElementById('main');
const QUIET = 45_000, REST = 400;
const began = Date.now();
let heard = 0, done = 0, later = 0, busy = false, again = false, last = '', shown = '';

/** Ids of cards that were decided here and are on their way to the server. */
export const away = new Set();

/** Ids of cards that were decided here, whatever the server made of it. */
export const mine = new Set();

/** When a finger came down that is on the page still; one whose end nobody told is forgotten. */
let down = 0;
const typing = () => document.activeElement?.matches('input:not([type=checkbox],[type=radio]),textarea,select');
const held = () => typing() || Date.now() - down < 10_000 || document.querySelector('[aria-busy=true]');
/** What a person may have opened, chosen or typed, by where it stands. */
const states = root => new Map([...root.querySelectorAll('details,input,textarea')].map(e => {
  const home = e.closest('[id]');
  return [home.id + (e.name ? e.name + e.defaultValue : [...home.querySelectorAll(e.tagName)].indexOf(e)), e];
}));

/** Puts the page's newest state in place, keeping what is open, chosen or typed and where the focus is. It waits for a finger on the page,
 * whose tap or swipe would else be lost with what it began on. */
export async function refresh() {
  if (!main().hasAttribute('data-live')) return;
  if (busy) return void (again = true);
  clearTimeout(later);
  if (held()) return void (later = setTimeout(refresh, REST));
  busy = true;
  document.documentElement.dataset.loading = '';
  try {
    const page = await getPage(location.pathname + location.search);
    if (held()) again = true; else swap(page);
    state('');
  } catch {
    state(navigator.onLine ? 'reconnecting' : 'offline');
  } finally {
    busy = false;
    done = Date.now();
    delete document.documentElement.dataset.loading;
    if (again) { again = false; refresh(); }
  }
}

function swap(page) {
  const fresh = page.getElementById('main'), old = main();
  if (!fresh) return;
  old.dataset.at = fresh.dataset.at;
  old.dataset.seen = fresh.dataset.seen;
  for (const id of away) fresh.querySelector(`#${CSS.escape(id)}`)?.remove();
  if (fresh.innerHTML === last) return;
  last = fresh.innerHTML;
  if (location.pathname.startsWith('/approvals')) keepGone(old, fresh);
  const before = states(old);
  const focused = document.activeElement, focus = old.contains(focused) && focused.closest('[id]')?.id;
  const same = focused.value ? `[value="${CSS.escape(focused.value)}"]` : focused.href ? `a[href="${focused.getAttribute('href')}"]` : 'a,button';
  for (const [key, e] of states(fresh)) {
    const was = before.get(key) ?? e;
    [e.open, e.value] = [was.open, was.value];
    if (was.checked !== was.defaultChecked) e.checked = was.checked;
  }
  old.replaceWith(document.adoptNode(fresh));
  if (focus) document.getElementById(focus)?.querySelector(same)?.focus({ preventScroll: true });
  badge(page);
  dispatchEvent(new Event('refreshed'));
}

/** A card that waits no longer, though nobody decided it here, says so where it stood instead of vanishing. */
function keepGone(old, fresh) {
  const here = card => fresh.querySelector(`#${CSS.escape(card.id)}`);
  const stood = [...old.querySelectorAll('approval-card,.gone')];
  stood.forEach((card, place) => {
    if (mine.has(card.id) || here(card)) return;
    const notice = card.matches('.gone') ? card : goneNotice(card), next = stood.slice(place + 1).map(here).find(Boolean);
    const spot = next ?? fresh.querySelector('.empty,:not(approval-card)>article.card:not(.gone)');
    if (spot) spot.before(notice);
    else fresh.lastElementChild.append(notice);
  });
}

function goneNotice(card) {
  const [lead, link] = [card.querySelector('.act'), card.querySelector('.act a')];
  const notice = Object.assign(document.createElement('div'), { id: card.id, className: 'card notice gone', role: 'alert' });
  const add = (tag, more, to = notice) => to.appendChild(Object.assign(document.createElement(tag), more));
  add('h2', { textContent: word('gone') });
  add('p', { textContent: lead.textContent });
  add('p', { className: 'small quiet', textContent: word('gone_why') });
  add('a', { className: 'btn small-btn', href: link?.href ?? '/approvals', textContent: word(link ? 'gone_see' : 'gone_next') }, add('p', { className: 'inline' }));
  return notice;
}

function badge(page) {
  const count = page.getElementById('pending')?.textContent ?? '0';
  document.getElementById('pending').textContent = count;
  document.getElementById('badge').hidden = count === '0';
  navigator.setAppBadge?.(Number(count)).catch(() => {});
}

const lang = () => document.documentElement.lang;
const ago = minutes => new Intl.RelativeTimeFormat(lang(), { numeric: 'auto' })
  .format(...minutes < 60 ? [-minutes, 'minute'] : minutes < 1440 ? [-Math.floor(minutes / 60), 'hour'] : [-Math.floor(minutes / 1440), 'day']);

/** One amber line under the title whenever what is shown may be old, with its age. */
function state(name) {
  shown = name;
  let line = document.getElementById('net');
  if (!line) {
    line = Object.assign(document.createElement('p'), { id: 'net', className: 'line warn', role: 'status' });
    (document.querySelector('main header') ?? main().firstElementChild).after(line);
  }
  line.hidden = !name;
  if (!name) return;
  const at = Math.max(new Date(main().dataset.at), heard), clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: document.body.dataset.zone };
  const date = new Date(at).toDateString() === new Date().toDateString() ? {} : { day: 'numeric', month: 'short' };
  line.textContent = word(name, { at: new Date(at).toLocaleString(lang(), { ...date, ...clock }), ago: ago(Math.floor((Date.now() - at) / 60_000)) });
}

let stream, ends = 0;

/** A browser comes back to a stream that broke, not to one that was refused: then the page itself says why, or leads to
 * the door, and is tried less and less often. */
function listen() {
  stream?.close();
  stream = new EventSource(`/events?seen=${main().dataset.seen}`);
  stream.addEventListener('beat', () => {
    ends = 0;
    heard = Date.now();
    if (shown) refresh();
  });
  stream.addEventListener('change', ({ data }) => {
    heard = Date.now();
    clearTimeout(later);
    if (data === 'approvals') refresh();
    else later = setTimeout(refresh, Math.max(0, REST + done - Date.now()));
  });
  stream.addEventListener('error', () => {
    state(navigator.onLine ? 'reconnecting' : 'offline');
    if (stream.readyState === EventSource.CLOSED) setTimeout(comeBack, 1000 * 2 ** Math.min(ends++, 5));
  });
}

async function comeBack() {
  if (stream.readyState !== EventSource.CLOSED || document.visibilityState !== 'visible') return;
  await refresh();
  listen();
}

export function live() {
  listen();
  addEventListener('pointerdown', () => { down = Date.now(); });
  for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => setTimeout(was => { if (down === was) down = 0; }, 100, down));
  addEventListener('offline', () => state('offline'));
  addEventListener('online', refresh);
  addEventListener('settled', refresh);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    if (stream.readyState === EventSource.CLOSED || Date.now() - Math.max(heard, began) > QUIET) listen();
    refresh();
  });
  setInterval(() => {
    if (shown) state(shown);
    else if (Date.now() - Math.max(heard, began) > QUIET) state('reconnecting');
  }, 5000);
  addEventListener('pagehide', () => stream.close());
  addEventListener('pageshow', e => { if (e.persisted) { listen(); refresh(); } });
  if (!navigator.onLine) state('offline');
}
