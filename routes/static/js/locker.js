// @ts-check
/**
 * What waits on the phone is locked with a key that only its owner's login brings from the server.
 *
 * The key lies here while he is logged in, not to be taken out by any script, and is thrown away at logout: what still
 * waits is then of no use without his login. Over plain http a browser offers no locks; it is kept open there.
 */

import { pocketShelf } from "./shelf.js";

/** @typedef {{iv: Uint8Array<ArrayBuffer>, bytes: ArrayBuffer}} Locked */

/** @type {Map<string, CryptoKey>} */
const known = new Map();

/**
 * Take the key that a login brought.
 * @param {string} user
 * @param {string} base64
 */
export async function takeKey(user, base64) {
  if (!crypto.subtle) return;
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
  known.set(user, key);
  await pocketShelf.write(["keys"], async (store) => void store("keys").put(key, user));
}

/**
 * @param {string} user
 * @returns {Promise<CryptoKey | undefined>}
 */
async function keyOf(user) {
  if (!crypto.subtle) return undefined;
  const kept = known.get(user) ?? /** @type {CryptoKey | undefined} */ (await pocketShelf.look("keys", (store) => store.get(user)));
  if (kept) known.set(user, kept);
  return kept;
}

/**
 * Lock these bytes up, or null when there is no key yet.
 * @param {string} user
 * @param {BufferSource} bytes
 * @returns {Promise<Locked | null>}
 */
export async function lock(user, bytes) {
  const key = await keyOf(user);
  if (!key) return null;
  const iv = crypto.getRandomValues(new Uint8Array(12));
  return { iv, bytes: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, bytes) };
}

/**
 * @param {string} user
 * @param {Locked} locked
 * @returns {Promise<ArrayBuffer | null>} null when the key is not here, or is not the right one
 */
export async function unlock(user, { iv, bytes }) {
  const key = await keyOf(user);
  if (!key) return null;
  return crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, bytes).catch(() => null);
}
