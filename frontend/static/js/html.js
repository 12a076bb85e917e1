const policy = self.trustedTypes?.createPolicy('flr-html', { createHTML: text => text }) ?? { createHTML: text => text };

/** The document in an answer of ours. Only pages that this server marks as its own are parsed. */
export const parse = async answer => {
  if (answer.headers.get('x-flr-html') !== '1' || new URL(answer.url).origin !== location.origin)
    throw new TypeError('not a page of ours');
  return new DOMParser().parseFromString(policy.createHTML(await answer.text()), 'text/html');
};

export const getPage = async url => {
  const answer = await fetch(url, { headers: { accept: 'text/html' } });
  if (answer.redirected) return new Promise(() => location.assign(answer.url));
  if (answer.status >= 500) throw new TypeError('the server has a problem');
  return parse(answer);
};

/** The only element of a fragment, ready to be put into this page. */
export const piece = async answer => document.adoptNode((await parse(answer)).body.firstElementChild);

export const post = (url, body, headers = {}) => fetch(url, { method: 'POST', body, headers, redirect: 'error' });

export const postJson = (url, body = {}) =>
  post(url, JSON.stringify(body), { 'content-type': 'application/json' });
