import { post, postJson } from './html.js';

const GOOD_FOR = 100_000;
const offers = new Map();
const unb64 = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const bytes = text => new TextEncoder().encode(text);
const sha256 = async data => new Uint8Array(await crypto.subtle.digest('SHA-256', data));
const hex = data => [...data].map(b => b.toString(16).padStart(2, '0')).join('');
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const canon = v => Array.isArray(v) ? `[${v.map(canon)}]` : v && typeof v === 'object' ?
  `{${Object.keys(v).sort().map(k => `${JSON.stringify(k)}:${canon(v[k])}`)}}` : JSON.stringify(v);
const shownBy = element => [...element.querySelectorAll('[data-signed]')].map(part => part.textContent.trim()).join(' ');
const signs = async (statement, options) =>
  same(await sha256(bytes(`${statement.typ}\0${canon(statement)}`)), unb64(options.challenge));
const behind = async (element, payload) => hex(await sha256(bytes(payload))) === element.dataset.digest &&
  Object.values(JSON.parse(payload).text).includes(shownBy(element));

export class Mismatch extends Error {}

/** Refuses to sign anything but what this card shows: every hash is computed here, from what is on the screen. */
async function check(card, { statement, payload, options }) {
  const { approval, version, digest } = card.dataset;
  const holds = statement.typ === 'flr.decision.v1' && statement.approval === approval &&
    statement.decision === 'approve' && statement.version === Number(version) && statement.payload_digest === digest &&
    await behind(card, payload) && await signs(statement, options);
  if (!holds) throw new Mismatch(approval);
}

async function fetchOffer(card) {
  const answer = await postJson(`/approvals/${card.dataset.approval}/statement`);
  if (!answer.ok) throw new Error(`statement ${answer.status}`);
  const offer = await answer.json();
  await check(card, offer);
  return { ...offer, publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(offer.options), at: Date.now() };
}

/** Asks ahead: a browser wants the key prompt to come straight from the tap, without a wait in between. */
export function prepare(card) {
  const ready = offers.get(card.dataset.approval);
  if (ready && Date.now() - ready.at < GOOD_FOR) return;
  const offer = { at: Date.now(), promise: fetchOffer(card) };
  offers.set(card.dataset.approval, offer);
  offer.promise.then(got => { offer.got = got; }, () => offers.delete(card.dataset.approval));
}

/** The founder's signature over exactly this card, as `PasskeyProof`. */
export async function sign(card) {
  prepare(card);
  const offer = offers.get(card.dataset.approval), got = offer.got ?? await offer.promise;
  try {
    const assertion = await navigator.credentials.get({ publicKey: got.publicKey });
    return { kind: 'passkey', statement: got.statement, assertion: assertion.toJSON() };
  } finally {
    offers.delete(card.dataset.approval);
  }
}

/** One signature over the chosen of a list, as `PasskeyListProof`: over what stands in it, in its order. */
export async function signList(form) {
  const rows = [...form.querySelectorAll('[data-approval]')].filter(row => row.querySelector('input').checked);
  const answer = await post('/approvals/batch/statement', new URLSearchParams(new FormData(form)));
  if (!answer.ok) throw new Error(`statement ${answer.status}`);
  const { statement, payloads, options } = await answer.json();
  const wanted = rows.map(({ dataset: d }) =>
    ({ approval: d.approval, decision: 'approve', payload_digest: d.digest, version: Number(d.version) }));
  const holds = statement.typ === 'flr.decisions.v1' && canon(statement.items) === canon(wanted) &&
    (await Promise.all(rows.map(row => behind(row, payloads[row.dataset.approval])))).every(Boolean) &&
    await signs(statement, options);
  if (!holds) throw new Mismatch('list');
  const assertion = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return { kind: 'passkey', statement, assertion: assertion.toJSON() };
}

const seen = new IntersectionObserver(entries => entries.forEach(e => e.isIntersecting && prepare(e.target)));

export const watch = card => card.dataset.tier === 'R2' && card.querySelector('[data-key]') && seen.observe(card);

/** Keeps the offers of visible cards fresh. */
export const keepFresh = () => setInterval(() => document.visibilityState === 'visible' && navigator.onLine &&
  document.querySelectorAll('approval-card[data-tier=R2]').forEach(card => {
    const { top, bottom } = card.getBoundingClientRect();
    if (bottom > 0 && top < innerHeight) prepare(card);
  }), 20_000);
