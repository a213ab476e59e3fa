// @ts-check
/**
 * What goes from this phone when somebody logs out, another logs in, or a supervisor signs the phone out.
 *
 * Everything that is kept here is personal unless it says that it is not: a database is kept when its name starts with
 * "queue", a cache when its name starts with "shell". A row of a queue is what is sent and no more, but for its field
 * `shown`, which is there for the eye: that goes. What was scanned stays until the server has answered for it.
 */

/** What tells nobody's name: which phone this is, the order of its scans, whether it beeps. */
const KEPT_WORDS = /^(scan|queue)\./;
const KEPT_DATABASE = /^queue/;
const KEPT_CACHE = /^shell/;
const SHOWN = "shown";

/**
 * Take away all personal data but what waits to be sent. Safe to repeat; what cannot be taken away is told, once the
 * rest is gone.
 */
export async function wipe() {
  sessionStorage.clear();
  for (const name of Object.keys(localStorage)) if (!KEPT_WORDS.test(name)) localStorage.removeItem(name);
  const done = await Promise.allSettled([pages(), databases()]);
  for (const each of done) if (each.status === "rejected") throw each.reason;
}

async function pages() {
  if (!("caches" in globalThis)) return; // only where the page came safely
  for (const name of await caches.keys()) if (!KEPT_CACHE.test(name)) await caches.delete(name);
}

async function databases() {
  for (const { name = "" } of await indexedDB.databases()) await (KEPT_DATABASE.test(name) ? shrink(name) : remove(name));
}

/** @param {string} name */
function remove(name) {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.deleteDatabase(name);
    // Another tab that holds it open is told to let go; the browser removes it then.
    asked.onsuccess = asked.onblocked = () => resolve(undefined);
    asked.onerror = () => reject(asked.error);
  });
}

/**
 * Leave the rows of a queue with what is sent.
 * @param {string} name
 */
async function shrink(name) {
  const database = /** @type {IDBDatabase} */ (await settled(indexedDB.open(name)));
  const stores = [...database.objectStoreNames];
  if (stores.length) {
    const change = database.transaction(stores, "readwrite");
    for (const each of stores) forget(change.objectStore(each));
    await new Promise((resolve, reject) => {
      change.oncomplete = resolve;
      change.onabort = change.onerror = () => reject(change.error);
    });
  }
  database.close();
}

/** @param {IDBObjectStore} store */
function forget(store) {
  const walk = store.openCursor();
  walk.onsuccess = () => {
    const row = walk.result;
    if (!row) return;
    if (row.value && typeof row.value === "object" && SHOWN in row.value) {
      delete row.value[SHOWN];
      row.update(row.value);
    }
    row.continue();
  };
}

/** @param {IDBRequest} asked */
function settled(asked) {
  return new Promise((resolve, reject) => {
    asked.addEventListener("success", () => resolve(asked.result));
    asked.addEventListener("error", () => reject(asked.error));
  });
}
