// @ts-check
/**
 * What was done and is not yet the server's: kept on this phone until the server has answered for it.
 *
 *     import { keep, register, settled } from "./queue.js";
 *     const entry = await keep("scan", { code, step, ... });     // resolves once it is ON THE DISK: beep now
 *     const photo = await keep("photo", { code: waybill, ... }, blob);
 *
 * `keep(kind, payload, blob?)` gives the entry its id (a UUID v7, the same however often it is sent), the phone's time
 * (of now, or `payload.at` where it happened before) and the device's next number. It rejects with `Full` (./shelf.js) when the phone has no room: nothing was kept, say
 * so loudly and in red. The waybill shown in the list is read from `payload.code` or `payload.waybill`; `payload.step`
 * (or the kind) names what was done. The payload and the blob are locked with the user's key at once; never put more
 * into them than the server needs.
 *
 * "scan" goes to POST /api/scans in lists. Any other kind needs a sender, registered once by the module that keeps it:
 *
 *     register("photo", async ({ id, at, seq, device, payload, blob }) => {
 *       const answer = await ask(`/api/photos/${id}`, body, { as: me });     // ask, Refusal, ...: ./sending.js
 *       return { state: "sent" };            // or { state: "remark" | "refused", said: "a sentence" }
 *     });
 *
 * A sender must be safe to repeat under the same id. It throws `Unanswered`, `LoggedOut` or `AnotherLogin` (sending.js)
 * to be called again later, `Refusal` to have the entry shown as refused. Kinds are sent in the order they were kept,
 * scans first, so that a photo finds its scan written. Loading ./syncing.js on a page makes it send.
 *
 * An entry belongs to who made it: it is sent only under his login. Nothing is ever dropped but by `dismiss`, by hand,
 * or long after it was sent. Knows nothing of the network and of pages; "change" events say that something changed, in
 * this tab or another.
 */

import { device, uuid7 } from "./device.js";
import { me } from "./identity.js";
import { lock, unlock } from "./locker.js";
import { waybillIn } from "./s10.js";
import { Full, answer, queueShelf } from "./shelf.js";

/** @typedef {"saved" | "sending" | "sent" | "remark" | "refused"} State saved -> sending -> saved | sent | remark | refused */
/** @typedef {import("./locker.js").Locked} Locked */
/** @typedef {Record<string, unknown>} Payload */
/**
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} kind
 * @property {string} user the login that made it
 * @property {string} device
 * @property {number} seq
 * @property {string} at the phone's own time
 * @property {number | null} skew_ms server's clock less the phone's, as last measured before
 * @property {string} waybill
 * @property {string} step
 * @property {State} state
 * @property {number} tries
 * @property {number} not_before
 * @property {Locked | Payload | null} payload gone once the server has it
 * @property {{type: string, bytes: Locked | ArrayBuffer} | null} blob
 * @property {boolean} locked
 * @property {string} error the refusal's name
 * @property {string} said the server's sentence: remarks, or why it was refused
 * @property {string | null} settled_at
 */
/** @typedef {Pick<Entry, "id" | "kind" | "at" | "seq" | "device" | "skew_ms"> & {payload: Payload, blob: Blob | null}} Opened */
/** @typedef {{state: "sent" | "remark" | "refused", said?: string, error?: string}} Answer */
/** @typedef {(entry: Opened) => Promise<Answer>} Sender */

const SENT_STAY_MS = 2 * 24 * 3600_000;
/** Sent by a tab that was killed since: it is as good as saved. */
export const OWED = ["saved", "sending"];

/** @type {Map<string, Sender>} */
export const senders = new Map();
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("queue") : null;
/** Says "change" whenever an entry did, and "kept" when one was added here. */
export const changes = new EventTarget();
tabs?.addEventListener("message", () => changes.dispatchEvent(new Event("change")));

/**
 * @param {string} kind
 * @param {Sender} sender
 */
export function register(kind, sender) {
  senders.set(kind, sender);
}

/**
 * Put something on the disk. Resolves when it is there.
 * @param {string} kind
 * @param {Payload} payload
 * @param {Blob} [blob]
 * @returns {Promise<Entry>}
 */
export async function keep(kind, payload, blob) {
  if (!me) throw new Error("Nobody is logged in");
  /** @type {Entry} */
  const entry = {
    id: uuid7(),
    kind,
    user: me,
    device: device(),
    seq: 0,
    at: String(payload["at"] ?? new Date().toISOString()),
    skew_ms: null,
    waybill: waybillIn(String(payload["waybill"] ?? payload["code"] ?? "")),
    step: String(payload["step"] ?? kind),
    state: "saved",
    tries: 0,
    not_before: 0,
    ...(await wrapped(payload, blob)),
    error: "",
    said: "",
    settled_at: null,
  };
  await add(entry).catch(async (fault) => {
    if (!(fault instanceof Full) || !(await trim(0))) throw fault;
    await add(entry);
  });
  changed("kept");
  return entry;
}

/** @param {Entry} entry */
function add(entry) {
  return queueShelf.write(["entries", "device"], async (store) => {
    const known = store("device");
    const [seq, skew] = await Promise.all([answer(known.get("seq")), answer(known.get("skew"))]);
    // A phone that was in use before there was a queue goes on counting where it was.
    entry.seq = Math.max(seq ?? 0, Number(localStorage.getItem("scan.seq") ?? 0)) + 1;
    entry.skew_ms = skew ?? null;
    known.put(entry.seq, "seq");
    store("entries").add(entry);
  });
}

/**
 * @param {number} skew_ms server's clock less the phone's
 */
export function noteSkew(skew_ms) {
  return queueShelf.write(["device"], async (store) => void store("device").put(skew_ms, "skew"));
}

/** @returns {Promise<number | null>} */
export async function skew() {
  return (await queueShelf.look("device", (store) => store.get("skew"))) ?? null;
}

/**
 * All of this login's, oldest first.
 * @param {string} [user]
 * @returns {Promise<Entry[]>}
 */
export async function list(user = me) {
  const entries = /** @type {Entry[]} */ (await queueShelf.look("entries", (store) => store.index("user").getAll(user)));
  return entries.sort((a, b) => a.seq - b.seq);
}

/**
 * How many entries of other logins wait on this phone for them.
 * @returns {Promise<Map<string, number>>}
 */
export async function waitingForOthers() {
  const all = /** @type {Entry[]} */ (await queueShelf.look("entries", (store) => store.getAll()));
  const counts = new Map();
  for (const { user, state } of all) if (user !== me && OWED.includes(state)) counts.set(user, (counts.get(user) ?? 0) + 1);
  return counts;
}

/**
 * What is to be sent, unlocked; what cannot be unlocked any more is shown as refused, never dropped.
 * @param {Entry} entry
 * @returns {Promise<Opened | null>} null when its key is not here
 */
export async function opened({ id, kind, at, seq, device, skew_ms, user, payload, blob, locked }) {
  const plain = { id, kind, at, seq, device, skew_ms };
  if (!locked) return { ...plain, payload: /** @type {Payload} */ (payload), blob: blob && new Blob([/** @type {ArrayBuffer} */ (blob.bytes)], { type: blob.type }) };
  const bytes = await unlock(user, /** @type {Locked} */ (payload));
  const picture = blob && (await unlock(user, /** @type {Locked} */ (blob.bytes)));
  if (!bytes || (blob && !picture)) return null;
  return { ...plain, payload: JSON.parse(new TextDecoder().decode(bytes)), blob: blob && picture ? new Blob([picture], { type: blob.type }) : null };
}

/**
 * Change some entries in one transaction; those that are gone stay gone.
 * @param {Iterable<string>} ids
 * @param {(entry: Entry) => Partial<Entry>} how
 */
export async function change(ids, how) {
  await queueShelf.write(["entries"], async (store) => {
    for (const id of ids) {
      const entry = /** @type {Entry | undefined} */ (await answer(store("entries").get(id)));
      if (entry) store("entries").put({ ...entry, ...how(entry) });
    }
  });
  changed("change");
}

/**
 * What the server said of some entries: from here on they need not be sent. What was sent is not kept here any longer.
 * @param {Map<string, Answer>} answers
 */
export function settle(answers) {
  const now = new Date().toISOString();
  return change(answers.keys(), (entry) => {
    const { state, said = "", error = "" } = answers.get(entry.id) ?? { state: "refused" };
    const rest = state === "refused" ? {} : { payload: null, blob: null, locked: false };
    return { ...rest, state, said, error, settled_at: now };
  });
}

/**
 * Wait for the server's answer to one entry.
 * @param {string} id
 * @param {number} patience milliseconds
 * @returns {Promise<Entry | null>} null when it has not come by then
 */
export function settled(id, patience) {
  return new Promise((resolve) => {
    const stop = new AbortController();
    const end = (/** @type {Entry | null} */ entry) => {
      clearTimeout(timer);
      stop.abort();
      resolve(entry);
    };
    const timer = setTimeout(() => end(null), patience);
    const see = async () => {
      const entry = /** @type {Entry | undefined} */ (await queueShelf.look("entries", (store) => store.get(id)).catch(() => undefined));
      if (entry && !OWED.includes(entry.state)) end(entry);
    };
    changes.addEventListener("change", () => void see(), { signal: stop.signal });
    void see();
  });
}

/**
 * Take refused and remarked entries off the list: someone has seen them. What is not sent stays.
 * @param {string[]} ids
 */
export async function dismiss(ids) {
  await queueShelf.write(["entries"], async (store) => {
    for (const id of ids) {
      const entry = /** @type {Entry | undefined} */ (await answer(store("entries").get(id)));
      if (entry && !OWED.includes(entry.state)) store("entries").delete(id);
    }
  });
  changed("change");
}

/**
 * Forget what was sent without a remark long ago.
 * @param {number} [older] milliseconds
 * @returns {Promise<number>} how many
 */
export async function trim(older = SENT_STAY_MS) {
  const limit = Date.now() - older;
  const count = await queueShelf.write(["entries"], async (store) => {
    const all = /** @type {Entry[]} */ (await answer(store("entries").getAll()));
    const gone = all.filter(({ state, settled_at }) => state === "sent" && settled_at && Date.parse(settled_at) <= limit);
    for (const { id } of gone) store("entries").delete(id);
    return gone.length;
  });
  if (count) changed("change");
  return count;
}

/** @param {"kept" | "change"} what */
function changed(what) {
  changes.dispatchEvent(new Event("change"));
  if (what === "kept") changes.dispatchEvent(new Event("kept"));
  tabs?.postMessage(what);
}

/**
 * @param {Payload} payload
 * @param {Blob | undefined} blob
 * @returns {Promise<Pick<Entry, "payload" | "blob" | "locked">>}
 */
async function wrapped(payload, blob) {
  const bytes = await blob?.arrayBuffer();
  const type = blob?.type ?? "";
  const inside = await lock(me, new TextEncoder().encode(JSON.stringify(payload))).catch(() => null);
  const picture = inside && bytes ? await lock(me, bytes).catch(() => null) : null;
  if (!inside || (bytes && !picture)) return { payload, blob: bytes ? { type, bytes } : null, locked: false };
  return { payload: inside, blob: picture && { type, bytes: picture }, locked: true };
}
