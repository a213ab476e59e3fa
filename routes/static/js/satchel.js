// @ts-check
/**
 * What the carrier has in his pocket when nobody can be asked: the items he holds or was promised, whom he may release
 * to, the steps there are, and what he has already said of an item on this phone.
 *
 * Filled whenever the server answers; gone at logout (wipe.js). What it says is marked with the time it was true at.
 */

import { me } from "./identity.js";
import { takeKey } from "./locker.js";
import { answer, pocketShelf } from "./shelf.js";
import { fetchSatchel, news, syncing } from "./syncing.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Proposal} Proposal */
/** @typedef {import("./sending.js").Receiver} Receiver */
/** @typedef {{login: string, at: string, receivers: Receiver[], unseen: Proposal[], onward: Record<string, Record<string, Proposal[]>>}} Satchel */
/**
 * @typedef {{item: Item, at: string, said: string | null, listed?: "held" | "promised"}} Remembered `said`: a step told
 * on this phone since; `listed`: what he holds or was promised, as the server last listed it
 */

const TO_CITIZEN = ["result", "bring_back", "slip"];

/** @type {Satchel | null} */
let satchel = null;
/** Other modules fill pockets of their own (the day's run): told when the server can be asked. */
export const fillers = /** @type {Set<() => Promise<void>>} */ (new Set());

/** @returns {Promise<void>} */
export async function openSatchel() {
  const kept = /** @type {Satchel | undefined} */ (await pocketShelf.look("things", (store) => store.get("satchel")).catch(() => undefined));
  if (kept?.login === me) satchel = kept;
  news.addEventListener("item", (event) => void remember(/** @type {CustomEvent<Item>} */ (event).detail));
}

/** Ask the server for everything that is needed without it. */
export async function refill() {
  const { key, items, promised, ...rest } = /** @type {Satchel & {key: string, items: Item[], promised: Item[]}} */ (/** @type {unknown} */ (await fetchSatchel()));
  if (rest.login !== me) return;
  await takeKey(me, key);
  satchel = { ...rest, at: new Date().toISOString() };
  const at = satchel.at;
  await pocketShelf.write(["things"], async (store) => {
    const things = store("things");
    const known = /** @type {string[]} */ (await answer(things.getAllKeys(IDBKeyRange.bound("item/", "item/~"))));
    const here = new Set([...items, ...promised].map(({ waybill }) => `item/${waybill}`));
    for (const name of known) if (!here.has(name)) things.delete(name);
    for (const item of items) things.put({ item, at, said: null, listed: "held" }, `item/${item.waybill}`);
    for (const item of promised) things.put({ item, at, said: null, listed: "promised" }, `item/${item.waybill}`);
    things.put(satchel, "satchel");
  });
  for (const fill of fillers) await fill().catch(() => undefined);
  // What waited for its key can go now.
  if (syncing.way === "login" || syncing.way === "another") void syncing.sync({ now: true });
}

/**
 * What the server has just said of an item, if it is one that he deals with.
 * @param {Item} item
 */
export function remember(item) {
  return put(item.waybill, item.mine || item.proposals.length ? { item, at: new Date().toISOString(), said: null } : null);
}

/**
 * What he says of an item now, so that the next look at it without a network knows.
 * @param {Item} item
 * @param {string} step
 */
export async function said(item, step) {
  const kept = await recall(item.waybill);
  const at = kept?.at ?? (item.leg ? new Date().toISOString() : "");
  await put(item.waybill, { item, at, said: step });
}

/**
 * @param {string} waybill
 * @param {Remembered | null} what
 */
async function put(waybill, what) {
  await pocketShelf
    .write(["things"], async (store) => {
      if (!what) return void store("things").delete(`item/${waybill}`);
      const before = /** @type {Remembered | undefined} */ (await answer(store("things").get(`item/${waybill}`)));
      const listed = what.item.mine ? "held" : before?.listed;
      store("things").put({ ...what, ...(listed && { listed }) }, `item/${waybill}`);
    })
    .catch(() => undefined); // a comfort, and no more
}

/**
 * The item as it was last known here, with what is likely next; null when it was never seen.
 * @param {string} waybill
 * @returns {Promise<Remembered | null>}
 */
export async function recall(waybill) {
  const kept = /** @type {Remembered | undefined} */ (await pocketShelf.look("things", (store) => store.get(`item/${waybill}`)).catch(() => undefined));
  return kept ? asSaid(kept) : null;
}

/**
 * All that he holds or was promised, as last known here.
 * @returns {Promise<Remembered[]>}
 */
export async function pocket() {
  const range = IDBKeyRange.bound("item/", "item/~");
  const kept = /** @type {Remembered[]} */ (await pocketShelf.look("things", (store) => store.getAll(range)).catch(() => []));
  return kept.filter(({ listed }) => listed).map(asSaid);
}

/**
 * With what is likely next after what was said here.
 * @param {Remembered} kept
 * @returns {Remembered}
 */
function asSaid(kept) {
  if (!kept.said) return kept;
  const way = satchel?.onward[!kept.item.leg || TO_CITIZEN.includes(kept.item.leg) ? "citizen" : "agency"] ?? {};
  return { ...kept, item: { ...kept.item, proposals: way[kept.said] ?? kept.item.proposals } };
}

/** What may be said of an item that nobody here has seen. */
export function unseen() {
  return satchel?.unseen ?? [];
}

/** Whom he may release to, as last known. */
export function knownReceivers() {
  return satchel?.receivers ?? [];
}
