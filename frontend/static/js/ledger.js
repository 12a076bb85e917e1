import { word } from './words.js';

const KEY = 'flr-ledger';
const tenant = document.body.dataset.tenant;
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), letter => letter.charCodeAt());
const unhex = text => Uint8Array.from(text.match(/../g), pair => parseInt(pair, 16));
const same = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
const node = async (left, right) =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.of(1, ...left, ...right)));

/** A C2SP note, in its parts. */
const parse = note => {
  const [text, signed] = note.split('\n\n'), [origin, size, root, , time] = text.split('\n');
  if (origin !== `5-layer-runtime/ledger/${tenant}`) throw new Error('ledger_changed');
  const lines = signed.split('\n').filter(line => line.startsWith(`— ${origin} `));
  const signatures = lines.map(line => bytes(line.slice(origin.length + 3)).subarray(4));
  return { note, size: Number(size), root: bytes(root), at: time.slice(5), text: new TextEncoder().encode(text + '\n'), signatures };
};

/** Nobody answered, or not for us: nothing is known, so nothing is said. */
class Away extends Error {}

/** RFC 9162, 2.1.4.2: whether the later tree begins with the earlier one. Sizes may be beyond 2^32. */
export async function follows(first, second, proof) {
  if (first.size === second.size) return same(first.root, second.root);
  const one = 1n, path = proof.map(unhex), size = BigInt(first.size);
  if (!(size & size - one)) path.unshift(first.root);
  let place = size - one, last = BigInt(second.size) - one, old = path.shift(), now = old;
  for (; place & one; last >>= one) place >>= one;
  if (!old) return false;
  for (const part of path) {
    if (!last) return false;
    if (place & one || place === last) {
      [old, now] = [await node(part, old), await node(part, now)];
      for (; place && !(place & one); last >>= one) place >>= one;
    } else now = await node(now, part);
    place >>= one;
    last >>= one;
  }
  return !last && same(old, first.root) && same(now, second.root);
}

/** RFC 9162, 2.1.3.2: whether the leaf is number `index` of the tree under `head`. */
export async function includes(leaf, index, head, proof) {
  let place = BigInt(index), last = BigInt(head.size) - 1n, root = leaf;
  if (place > last) return false;
  for (const part of proof.map(unhex)) {
    if (!last) return false;
    if (place & 1n || place === last) {
      root = await node(part, root);
      for (; place && !(place & 1n); last >>= 1n) place >>= 1n;
    } else root = await node(root, part);
    place >>= 1n;
    last >>= 1n;
  }
  return !last && same(root, head.root);
}

/** Those of `keys` that signed; null where this browser knows no Ed25519. */
async function signers(head, keys) {
  const found = [];
  for (const x of keys) {
    let key;
    try {
      key = await crypto.subtle.importKey('raw', bytes(x), 'Ed25519', false, ['verify']);
    } catch {
      return null;
    }
    for (const signature of head.signatures)
      if (await crypto.subtle.verify('Ed25519', key, signature, head.text)) found.push(x);
  }
  return found;
}

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: 'application/json' } }).catch(() => ({ status: 503 }));
  if (answer.ok) return answer.json().catch(() => { throw new Away(); });
  throw answer.status > 500 || [401, 403, 429].includes(answer.status) ? new Away() : new Error('ledger_unproved');
}

async function check(kept) {
  const seen = kept && parse(kept.note);
  const { items: [latest] } = await ask('/api/v1/ledger/checkpoints?limit=1');
  if (!latest && !seen) return null;
  const head = latest && parse(latest.note);
  if (seen && !(head?.size >= seen.size)) throw new Error('ledger_cut');
  if (seen) {
    const proof = head.size > seen.size &&
      (await ask(`/api/v1/ledger/proofs/consistency?first=${seen.size}&second=${head.size}`)).hashes;
    if (!await follows(seen, head, proof)) throw new Error('ledger_changed');
  }
  const trusted = kept?.keys ?? [];
  let by = trusted.length ? await signers(head, trusted) : null, keys = trusted;
  if (by?.length !== head.signatures.length) {
    const offered = (await ask('/.well-known/jwks.json')).keys.filter(key => key.purpose === 'seal').map(key => key.x);
    const signed = await signers(head, offered);
    if (!trusted.length) by = signed;
    keys = [...new Set([...trusted, ...signed ?? []])];
  }
  if (by?.length === 0) throw new Error('ledger_unsigned');
  return { head, by, seen, keys };
}

function tell(name, values, bad) {
  const alarm = document.getElementById('alarm');
  alarm.hidden = !bad;
  if (bad) alarm.textContent = word(name, values);
  const paint = () => {
    const line = document.getElementById('seen');
    if (line) line.textContent = word(name, values);
  };
  paint();
  addEventListener('refreshed', paint);
}

const store = () => {
  try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; /* as on a new device */ }
};
const keep = ({ head, keys }) => localStorage.setItem(KEY, JSON.stringify({ ...store(), [tenant]: { note: head.note, keys } }));

/** Hashes the event's own bytes here and follows them up to a checkpoint that continues what this device has seen. */
async function prove({ event, type }) {
  const found = await check(store()[tenant]);
  if (!found) return ['event_young', {}];
  keep(found);
  const answer = await fetch(`/ledger/${event}/document`).catch(() => { throw new Away(); });
  if (!answer.ok) throw new Away();
  const document = new Uint8Array(await answer.arrayBuffer()), said = JSON.parse(new TextDecoder().decode(document));
  const leaf = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.of(0, ...document)));
  const asked = await fetch(`/api/v1/ledger/proofs/inclusion?event_id=${event}&size=${found.head.size}`, { headers: { accept: 'application/json' } });
  if (asked.status === 404 || asked.status === 409) return ['event_young', {}];
  const proof = await asked.json();
  const holds = asked.ok && said.id === event && said.tenant === tenant && said.body.type === type &&
    await includes(leaf, proof.index, found.head, proof.hashes);
  return holds ? ['event_proved', { n: proof.seq, size: found.head.size }] : ['event_unproved', {}];
}

customElements.define('event-proof', class extends HTMLElement {
  connectedCallback() {
    this.hidden = !crypto.subtle;
    this.querySelector('button').addEventListener('click', async ({ currentTarget: button }) => {
      button.setAttribute('aria-busy', 'true');
      const [name, values] = await prove(this.dataset).catch(error =>
        [error instanceof Away ? 'no_answer_proof' : 'event_unproved', {}]);
      const line = this.querySelector('p');
      line.textContent = word(name, values);
      line.className = `small line flush ${name === 'event_proved' ? 'good' : name === 'event_unproved' ? 'bad' : 'warn'}`;
      button.removeAttribute('aria-busy');
    });
  }
});

/** Holds the newest checkpoint against the last one that this device saw; what does not follow from it turns the page red. */
export async function watch() {
  if (!crypto.subtle) return tell('ledger_unable', {});
  const kept = store()[tenant], when = time => new Date(time).toLocaleString(document.documentElement.lang,
    { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23', timeZone: document.body.dataset.zone });
  try {
    const found = await check(kept);
    if (!found) return;
    const { head, by, seen } = found;
    keep(found);
    tell(by ? seen ? 'ledger_grew' : 'ledger_first' : 'ledger_grew_unsigned', { n: head.size, at: when(seen?.at ?? head.at) });
  } catch (error) {
    if (error instanceof Away) return;
    const seen = kept && parse(kept.note), name = /^ledger_/.test(error.message) ? error.message : 'ledger_unproved';
    tell(name, { n: seen?.size ?? 0, at: when(seen?.at ?? Date.now()) }, true);
  }
}
