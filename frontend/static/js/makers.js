import { postJson } from './html.js';
import { word } from './words.js';

const label = () => /iPhone|iPad|Android/.exec(navigator.userAgent)?.[0] ?? navigator.userAgentData?.platform ?? navigator.platform ?? 'browser';

/** A button that runs one passkey ceremony and follows where the server points. */
class Ceremony extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector('button');
    if (!self.PublicKeyCredential) return this.say(word('no_keys_here'));
    this.button.addEventListener('click', () => this.run());
  }

  say(text) {
    this.querySelector('[data-say]').textContent = text;
  }

  async run() {
    this.button.setAttribute('aria-busy', 'true');
    this.say('');
    try {
      const answer = await this.ceremony();
      const body = await answer.json();
      if (!answer.ok) return this.say(body.detail ?? word('failed_key'));
      location.assign(body.next);
    } catch (error) {
      this.say(word(error.name === 'NotAllowedError' ? 'cancelled' : 'failed_key'));
    } finally {
      this.button.removeAttribute('aria-busy');
    }
  }

  async options(url) {
    const answer = await postJson(url);
    if (!answer.ok) throw new Error(`options ${answer.status}`);
    return answer.json();
  }
}

customElements.define('passkey-maker', class extends Ceremony {
  async ceremony() {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(await this.options(this.dataset.options));
    const credential = (await navigator.credentials.create({ publicKey })).toJSON();
    return postJson(this.dataset.done, { credential, label: label() });
  }
});

customElements.define('passkey-login', class extends Ceremony {
  async ceremony() {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await this.options('/login/options'));
    const credential = (await navigator.credentials.get({ publicKey })).toJSON();
    return postJson('/login', { credential, next: this.dataset.next, label: label() });
  }
});
