import { cards } from './cards.js';
import { post } from './html.js';
import { keepFresh } from './keys.js';
import { live } from './live.js';
import './makers.js';
import { resync } from './push.js';

const policy = self.trustedTypes?.createPolicy('flr-sw', {
  createScriptURL: url => {
    if (url !== '/sw.js') throw new TypeError(url);
    return url;
  },
});

cards();
live();
const early = [];
const gather = event => early.push(event) > 1 || import('./keyboard.js').then(keys => {
  removeEventListener('keydown', gather);
  keys.keyboard(early);
});
addEventListener('keydown', gather);
keepFresh();
// Links lead over, answers to a form stand at once.
let posting = false;
addEventListener('submit', event => setTimeout(() => { posting = !event.defaultPrevented; }), true);
// A slow page is shown without its transition.
const unshown = transition => ['ready', 'finished', 'updateCallbackDone'].forEach(state => transition?.[state].catch(() => {}));
// A tap would meet the picture of the page instead of the page: a finger ends the transition.
addEventListener('pagereveal', ({ viewTransition }) => {
  unshown(viewTransition);
  addEventListener('pointerdown', () => viewTransition?.skipTransition());
});
addEventListener('pageswap', ({ viewTransition }) => {
  unshown(viewTransition);
  if (posting) viewTransition?.skipTransition();
});
if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register(policy ? policy.createScriptURL('/sw.js') : '/sw.js').then(resync, () => {});
  navigator.storage?.persist?.();
}
if (matchMedia('(display-mode: standalone)').matches && document.querySelector('[data-step=install]:not([data-done])'))
  post('/first-steps/installed');
if (document.querySelector('ticket-files')) import('./composer.js');
else (self.requestIdleCallback ?? setTimeout)(() => import('./ledger.js').then(ledger => ledger.watch()), { timeout: 1500 });
