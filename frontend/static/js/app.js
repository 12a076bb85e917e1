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
addEventListener('keydown', event => import('./keyboard.js').then(keys => keys.keyboard(event)), { once: true });
keepFresh();
// Links lead over, answers to a form stand at once.
let posting = false;
addEventListener('submit', event => setTimeout(() => { posting = !event.defaultPrevented; }), true);
addEventListener('pageswap', ({ viewTransition }) => {
  for (const state of ['ready', 'finished', 'updateCallbackDone']) viewTransition?.[state].catch(() => {});
  if (posting) viewTransition?.skipTransition();
});
if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register(policy ? policy.createScriptURL('/sw.js') : '/sw.js').then(resync, () => {});
  navigator.storage?.persist?.();
}
if (document.querySelector('ticket-files')) import('./composer.js');
if (matchMedia('(display-mode: standalone)').matches && document.querySelector('[data-step=install]:not([data-done])'))
  post('/first-steps/installed');
(self.requestIdleCallback ?? setTimeout)(() => import('./ledger.js').then(ledger => ledger.watch()));
