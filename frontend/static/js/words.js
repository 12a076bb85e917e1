/** A sentence for the founder, in the page's language; `{name}` is filled from `values`. */
export const word = (name, values = {}) =>
  (document.getElementById('words').dataset[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '');
