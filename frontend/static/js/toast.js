const box = () => document.getElementById('toasts');

export const show = element => box().replaceChildren(element);

export const say = text => {
  const toast = document.createElement('undo-toast');
  toast.className = 'toast';
  toast.append(Object.assign(document.createElement('span'), { textContent: text }));
  show(toast);
};

/** Shrinks its bar while the server still lets the decision be undone, then leaves. */
class UndoToast extends HTMLElement {
  connectedCallback() {
    const ends = performance.now() + (this.dataset.seconds ?? 6) * 1000;
    const bar = this.querySelector('progress');
    this.timer = setInterval(() => {
      const left = (ends - performance.now()) / 1000;
      if (bar) bar.value = Math.max(0, left);
      if (left > 0) return;
      this.remove();
      dispatchEvent(new Event('settled'));
    }, 200);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }
}
customElements.define('undo-toast', UndoToast);
