const words = document.getElementById('words').dataset;
const say = (name, values) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const figure = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
const size = count => count < 1e6 ? figure.format(Math.ceil(count / 1e3)) + ' KB' : figure.format(count / 1e6) + ' MB';

/** Files of several picks in one list, each with its own marks, and the progress of their upload. */
customElements.define('ticket-files', class extends HTMLElement {
  connectedCallback() {
    this.kept = new Map();
    this.list = this.querySelector('[data-list]');
    this.form = this.closest('form');
    this.addEventListener('change', event => event.target.type === 'file' && this.take(event.target));
    this.addEventListener('click', event => event.target.matches('[data-drop]') && this.drop(event.target.closest('li')));
    this.form.addEventListener('submit', event => {
      if (!this.kept.size) return;
      event.preventDefault();
      this.send();
    });
  }

  take(input) {
    this.tell('');
    for (const file of input.files) {
      if (file.size > Number(this.dataset.largest)) this.tell(say('file_large', { name: file.name, size: size(this.dataset.largest) }));
      else if (file.size) this.add(this.named(file));
    }
    input.value = '';
  }

  /** A camera calls every picture the same; a ticket wants different names. */
  named(file) {
    if (!this.kept.has(file.name)) return file;
    const [, stem, end] = /^(.*?)(\.[^.]*)?$/.exec(file.name);
    let n = 2;
    while (this.kept.has(`${stem}-${n}${end ?? ''}`)) n += 1;
    return new File([file], `${stem}-${n}${end ?? ''}`, { type: file.type });
  }

  add(file) {
    const item = this.querySelector('[data-file]').content.firstElementChild.cloneNode(true);
    item.dataset.name = file.name;
    item.querySelector('[data-name]').textContent = file.name;
    item.querySelector('[data-size]').textContent = size(file.size);
    for (const box of item.querySelectorAll('input')) box.value = file.name;
    this.kept.set(file.name, file);
    this.list.append(item);
    this.shown();
  }

  drop(item) {
    this.kept.delete(item.dataset.name);
    item.remove();
    this.shown();
  }

  shown() {
    this.list.hidden = !this.kept.size;
    const all = this.querySelector('[data-all]');
    all.hidden = Boolean(this.kept.size);
    for (const box of all.querySelectorAll('input')) box.disabled = all.hidden;
  }

  tell(text) {
    const line = this.querySelector('[data-problem]');
    line.textContent = text;
    line.hidden = !text;
  }

  send() {
    const data = new FormData(this.form), button = this.form.querySelector('button:not([type])'), request = new XMLHttpRequest();
    data.delete('files');
    for (const file of this.kept.values()) data.append('files', file, file.name);
    const line = this.querySelector('[data-sending]'), bar = line.querySelector('progress'), said = line.querySelector('[data-said]');
    line.hidden = false;
    button.setAttribute('aria-busy', 'true');
    request.upload.addEventListener('progress', ({ loaded, total }) => {
      bar.value = loaded / total;
      said.textContent = say('file_sent', { done: size(loaded), all: size(total) });
    });
    const rest = text => {
      line.hidden = true;
      button.removeAttribute('aria-busy');
      this.tell(text);
    };
    request.addEventListener('load', () => {
      if (request.status < 400) return location.assign(request.responseURL);
      let told;
      try { told = JSON.parse(request.responseText).problem; } catch { /* not ours to read */ }
      rest(told ?? say('no_answer'));
    });
    request.addEventListener('error', () => rest(say('file_offline')));
    request.open('POST', this.form.action);
    request.setRequestHeader('x-fragment', '1');
    request.send(data);
  }
});
