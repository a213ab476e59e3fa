// @ts-check
/**
 * This phone's own disk: IndexedDB, plainly. "queue" is what waits to be sent and outlives a logout; "pocket" is what
 * a login brought along, and goes with it (wipe.js).
 *
 * A write has happened when it is on the disk (durability "strict"), not when it was asked for. Knows nothing of what
 * is written.
 */

const VERSION = 1;

/** The phone has no room left, or does not let this page keep anything: nothing was written. */
export class Full extends Error {}

export class Shelf {
  #name;
  #furnish;
  /** @type {Promise<IDBDatabase> | null} */
  #opening = null;

  /**
   * @param {string} name
   * @param {(database: IDBDatabase) => void} furnish makes its stores, once
   */
  constructor(name, furnish) {
    this.#name = name;
    this.#furnish = furnish;
  }

  /**
   * Do some work in one transaction; it is on the disk when this resolves, or nothing of it is.
   * @template T
   * @param {string[]} stores
   * @param {(store: (name: string) => IDBObjectStore) => Promise<T>} work awaits nothing but `answer`s
   * @returns {Promise<T>}
   */
  async write(stores, work) {
    const transaction = await this.#begin(stores, "readwrite");
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error ?? new DOMException("Aborted", "AbortError"));
    });
    try {
      const [result] = await Promise.all([work((name) => transaction.objectStore(name)), done]);
      return result;
    } catch (fault) {
      try {
        transaction.abort();
      } catch {
        // It has ended by itself.
      }
      throw isFull(fault) || isFull(transaction.error) ? new Full(String(fault)) : fault;
    }
  }

  /**
   * @template T
   * @param {string} store
   * @param {(store: IDBObjectStore) => IDBRequest<T>} question
   * @returns {Promise<T>}
   */
  async look(store, question) {
    const transaction = await this.#begin([store], "readonly");
    return answer(question(transaction.objectStore(store)));
  }

  /**
   * @param {string[]} stores
   * @param {IDBTransactionMode} mode
   */
  async #begin(stores, mode) {
    const fault = (/** @type {unknown} */ why) => new Full(String(why));
    try {
      return (await this.#open()).transaction(stores, mode, { durability: "strict" });
    } catch {
      // A browser that cleans up closes it under us: once more from the start.
      this.#opening = null;
      const database = await this.#open().catch((why) => {
        throw fault(why);
      });
      return database.transaction(stores, mode, { durability: "strict" });
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  #open() {
    this.#opening ??= new Promise((resolve, reject) => {
      const asked = indexedDB.open(this.#name, VERSION);
      asked.onupgradeneeded = () => this.#furnish(asked.result);
      asked.onerror = () => reject(asked.error);
      asked.onsuccess = () => {
        const database = asked.result;
        const forget = () => {
          database.close();
          this.#opening = null;
        };
        // Another tab takes it away or has a newer page: let go, the next use opens it anew.
        database.onversionchange = forget;
        database.onclose = forget;
        resolve(database);
      };
    });
    this.#opening.catch(() => (this.#opening = null));
    return this.#opening;
  }
}

export const queueShelf = new Shelf("queue", (database) => {
  database.createObjectStore("entries", { keyPath: "id" }).createIndex("user", "user");
  database.createObjectStore("device");
});

export const pocketShelf = new Shelf("pocket", (database) => {
  database.createObjectStore("keys");
  database.createObjectStore("things");
});

/**
 * The answer to one request.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Whatever a disk says: it is full, it is broken, or the browser does not let us. What was to be kept was not.
 * @param {unknown} fault
 */
function isFull(fault) {
  return fault instanceof DOMException;
}
