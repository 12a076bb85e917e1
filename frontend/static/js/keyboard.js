const GO = { t: '/', d: '/approvals', w: '/workers', m: '/money', c: '/copilot', l: '/ledger', n: '/tickets/new', s: '/settings' };
const ITEMS = 'approval-card, .rows > li > a, .rows > li .worker';
const shown = () => [...document.querySelectorAll(`#main :is(${ITEMS})`)].filter(e => e.checkVisibility() && !e.closest('.aside'));
const current = () => document.activeElement.closest(ITEMS);
const typing = event => event.target.closest('input:not([type=checkbox],[type=radio]),textarea,select,[contenteditable]');
let going = 0;

function move(by) {
  const items = shown(), at = items.indexOf(current()), next = items[at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by];
  if (!next) return;
  const target = next.matches('a') ? next : next.querySelector('a');
  (target ?? next).focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
}

function help() {
  const dialog = document.getElementById('keys');
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

/** Letters for who has a keyboard. A card hears its own, which decide under the same rules as a tap. */
export function keyboard(early) {
  const hear = event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
    const letter = event.key.toLowerCase();
    if (Date.now() < going && GO[letter]) return location.assign(GO[letter]);
    going = letter === 'g' ? Date.now() + 1500 : 0;
    const act = { j: () => move(1), k: () => move(-1), '?': help, '/': () => document.querySelector('[type=search]')?.focus() }[letter];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', hear);
  early.forEach(hear);
}
