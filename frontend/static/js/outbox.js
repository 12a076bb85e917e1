const open = () => new Promise((ok, no) => {
  const request = indexedDB.open('flr', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('outbox', { keyPath: 'key' });
  request.onsuccess = () => ok(request.result);
  request.onerror = () => no(request.error);
});

const run = async (mode, work) => {
  const database = await open();
  return new Promise((ok, no) => {
    const change = database.transaction('outbox', mode), request = work(change.objectStore('outbox'));
    change.oncomplete = () => { ok(request.result); database.close(); };
    change.onerror = () => no(change.error);
  });
};

export const waiting = () => run('readonly', store => store.getAll());

/** Keeps a decision until there is a network; only for R1, and only if its deadline is not near. A first try with the same
 * key may have arrived though its answer did not: then the server gives that answer again. */
export const keep = (url, fields, key) => run('readwrite', store => store.put({ key, url, fields, at: Date.now() }));

const drop = entry => run('readwrite', store => store.delete(entry.key));
const OLD = 6 * 3600_000;
let busy = null;

async function send(entry) {
  if (Date.now() - entry.at > OLD) return 410;
  const body = new URLSearchParams(entry.fields);
  const answer = await fetch(entry.url, { method: 'POST', body, headers: { 'x-fragment': '1', 'idempotency-key': entry.key }, redirect: 'error' });
  return answer.status;
}

/** Sends what was kept, in order: `{sent, stale}`. Stops at the first that finds no server. */
export const flush = () => busy ??= (async () => {
  const result = { sent: 0, stale: 0 };
  try {
    for (const entry of await waiting()) {
      const status = await send(entry);
      if (status >= 500 || status === 401) break;
      await drop(entry);
      result[status < 300 ? 'sent' : 'stale'] += 1;
    }
  } catch {
    // No network after all: what is kept stays kept.
  } finally {
    busy = null;
  }
  return result;
})();
