import { piece, post } from './html.js';
import { Mismatch, sign, signList, watch } from './keys.js';
import { away, mine, refresh } from './live.js';
import { flush, keep } from './outbox.js';
import { say, show } from './toast.js';
import { word } from './words.js';

const EDGE = 28, HALF_HOUR = 1_800_000;

/** A swipe is a shortcut to the buttons; starts near the screen's edge belong to the phone. */
class ApprovalCard extends HTMLElement {
  connectedCallback() {
    watch(this);
    if (this.bound) return;
    this.bound = true;
    this.addEventListener('pointerdown', event => this.down(event));
    this.addEventListener('pointermove', event => this.move(event));
    this.addEventListener('pointerup', () => this.up());
    this.addEventListener('pointercancel', () => this.rest());
    this.addEventListener('keydown', event => this.key(event));
  }

  /** While the focus is in a card: A approves, R rejects, U undoes. */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches('input,textarea,select')) return;
    const arm = { a: 'approve', r: 'reject' }[event.key];
    if (arm) this.querySelector(`[value=${arm}]`)?.click();
    if (event.key === 'u') document.querySelector('#toasts form button')?.click();
    if (arm || event.key === 'u') event.preventDefault();
  }

  down(event) {
    const free = event.pointerType === 'touch' && event.clientX > EDGE && event.clientX < innerWidth - EDGE;
    if (free && !event.target.closest('a,button,summary,dd,input')) [this.x, this.pointer] = [event.clientX, event.pointerId];
  }

  move(event) {
    if (this.x === undefined || event.pointerId !== this.pointer) return;
    const dx = event.clientX - this.x;
    if (Math.abs(dx) > 12) this.setPointerCapture(event.pointerId);
    this.style.setProperty('--dx', `${dx}px`);
    this.dataset.arm = Math.abs(dx) > this.offsetWidth * .4 ? (dx > 0 ? 'approve' : 'reject') : '';
  }

  up() {
    const arm = this.dataset.arm;
    this.rest();
    if (arm) this.querySelector(`[value=${arm}]`)?.click();
  }

  rest() {
    this.x = undefined;
    this.style.removeProperty('--dx');
    this.dataset.arm = '';
  }
}

const following = card => {
  const all = [...document.querySelectorAll('approval-card')];
  return all[all.indexOf(card) + 1];
};

/** The card leaves at once and the next takes its place; the answer comes behind. It comes back if it was not taken. */
function leave(card) {
  const next = following(card), held = card.contains(document.activeElement);
  away.add(card.id);
  card.inert = card.hidden = true;
  if (held) next?.querySelector('.act a,button')?.focus({ preventScroll: true });
}

function comeBack(card) {
  away.delete(card.id);
  card.inert = card.hidden = false;
  card.classList.remove('leaving');
}

const tries = new Map();

/** One key for one decision until it is answered, so that it is not made twice. */
const keyOf = what => tries.get(what) ?? tries.set(what, crypto.randomUUID()).get(what);
const whatOf = (form, fields) => `${form.action} ${new URLSearchParams(fields)}`;

const queueable = (card, button) => card && !button.hasAttribute('data-key') &&
  new Date(card.dataset.expires) - Date.now() > HALF_HOUR;

async function decide(form, button) {
  const card = form.closest('approval-card'), fields = new FormData(form, button), signed = button.hasAttribute('data-key');
  if (signed && !navigator.onLine) return say(word('offline_key'));
  mine[form.action.endsWith('/undo') ? 'delete' : 'add'](`a-${form.action.split('/').at(-2)}`);
  button.setAttribute('aria-busy', 'true');
  try {
    if (signed) fields.set('proof', JSON.stringify(await sign(card)));
    if (card?.querySelector('.act a')) leave(card);
    await deliver(form, fields, card);
  } catch (error) {
    if (card) comeBack(card);
    await undelivered(error, form, fields, card, button);
  } finally {
    button.removeAttribute('aria-busy');
  }
}

async function deliver(form, fields, card) {
  const what = whatOf(form, fields), headers = { 'x-fragment': '1', 'idempotency-key': keyOf(what) };
  const answer = await post(form.action, new URLSearchParams(fields), headers);
  tries.delete(what);
  if (answer.status === 401) return location.reload();
  if (answer.headers.has('idempotent-replayed')) {
    card?.remove();
    say(word('decided'));
    return refresh();
  }
  const element = await piece(answer);
  if (!answer.ok) {
    const place = card ?? form;
    if (card) comeBack(card);
    if (place.querySelector('h1')) element.firstElementChild.ariaLevel = 1;
    if (place.isConnected) place.replaceWith(element);
    else document.getElementById('main').prepend(element);
    element.focus();
    return;
  }
  if (card) setTimeout(() => away.delete(card.id), 3000);
  else away.clear();
  navigator.vibrate?.(12);
  if (card?.querySelector('.act a')) card.remove();
  else card?.classList.add('leaving');
  show(element);
  refresh();
}

async function undelivered(error, form, fields, card, button) {
  if (error.name === 'NotAllowedError') return say(word('cancelled'));
  if (error instanceof Mismatch) return say(word('mismatch'));
  if (navigator.onLine) return say(word(button.hasAttribute('data-key') ? 'failed_key' : 'unanswered'));
  if (!queueable(card, button)) return say(word('offline_key'));
  await keep(form.action, Object.fromEntries(fields), keyOf(whatOf(form, fields)));
  form.replaceChildren(Object.assign(document.createElement('p'), { className: 'stored', textContent: word('stored') }));
}

async function decideList(form, button) {
  if (!navigator.onLine) return say(word('offline_key'));
  button.setAttribute('aria-busy', 'true');
  try {
    const proof = Object.assign(document.createElement('input'), { type: 'hidden', name: 'proof' });
    proof.value = JSON.stringify(await signList(form));
    form.append(proof);
    form.submit();
  } catch (error) {
    say(word(error.name === 'NotAllowedError' ? 'cancelled' : error instanceof Mismatch ? 'mismatch' : 'failed_key'));
  } finally {
    button.removeAttribute('aria-busy');
  }
}

async function drain() {
  const { sent, stale } = await flush();
  if (!sent && !stale) return;
  say(word(stale ? 'outbox_stale' : 'outbox_sent', { n: sent + stale }));
  refresh();
}

/** Takes over the plain forms of cards and toasts; without script they post by themselves. */
export function cards() {
  customElements.define('approval-card', ApprovalCard);
  document.addEventListener('submit', event => {
    const form = event.target;
    if (form.hasAttribute('data-list')) {
      event.preventDefault();
      return void decideList(form, event.submitter ?? form.querySelector('[data-key]'));
    }
    if (!/\/approvals\/[^/]+\/(decide|undo)$/.test(form.action)) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector('button');
    if (button.getAttribute('aria-busy') !== 'true') decide(form, button);
  });
  addEventListener('online', drain);
  setInterval(() => document.visibilityState === 'visible' && document.querySelector('approval-card') && refresh(), 60_000);
  drain();
}
