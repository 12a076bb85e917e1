import { piece, post } from './html.js';
import { Mismatch, sign, watch } from './keys.js';
import { refresh } from './live.js';
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

const queueable = (card, button) => card && !button.hasAttribute('data-key') &&
  new Date(card.dataset.expires) - Date.now() > HALF_HOUR;

async function decide(form, button) {
  const card = form.closest('approval-card'), fields = new FormData(form, button);
  button.setAttribute('aria-busy', 'true');
  try {
    if (button.hasAttribute('data-key')) fields.set('proof', JSON.stringify(await sign(card)));
    await deliver(form, new URLSearchParams(fields), card);
  } catch (error) {
    await undelivered(error, form, fields, card, button);
  } finally {
    button.removeAttribute('aria-busy');
  }
}

async function deliver(form, fields, card) {
  const answer = await post(form.action, fields, { 'x-fragment': '1' });
  if (answer.status === 401) return location.reload();
  const element = await piece(answer);
  if (!answer.ok) {
    (card ?? form).replaceWith(element);
    element.focus();
    return;
  }
  navigator.vibrate?.(12);
  card?.classList.add('leaving');
  show(element);
  setTimeout(refresh, 200);
}

async function undelivered(error, form, fields, card, button) {
  if (error.name === 'NotAllowedError') return say(word('cancelled'));
  if (error instanceof Mismatch) return say(word('mismatch'));
  if (navigator.onLine) return say(word(button.hasAttribute('data-key') ? 'failed_key' : 'no_answer'));
  if (!queueable(card, button)) return say(word('offline_key'));
  await keep(form.action, Object.fromEntries(fields));
  form.replaceChildren(Object.assign(document.createElement('p'), { className: 'stored', textContent: word('stored') }));
}

async function drain() {
  const { sent, stale } = await flush();
  if (sent || stale) say(word(stale ? 'outbox_stale' : 'outbox_sent', { n: sent + stale }));
  if (sent || stale) refresh();
}

/** Takes over the plain forms of cards and toasts; without script they post by themselves. */
export function cards() {
  customElements.define('approval-card', ApprovalCard);
  document.addEventListener('submit', event => {
    const form = event.target;
    if (!/\/approvals\/[^/]+\/(decide|undo)$/.test(form.action)) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector('button');
    if (button.getAttribute('aria-busy') !== 'true') decide(form, button);
  });
  addEventListener('online', drain);
  drain();
}
