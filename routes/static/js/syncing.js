// @ts-check
/**
 * Sends what waits: on opening, when the network or the page comes back, after something was kept, by button, and
 * again and again with growing pauses.
 *
 * One tab sends for all (a Web Lock); lists are halved when the server chokes on one, so that a scan it cannot take
 * does not keep the others waiting. Says how it stands by "change" events. Knows nothing of what is on the page.
 */

import { me } from "./identity.js";
import { OWED, change, changes, list, noteSkew, opened, senders, settle, trim } from "./queue.js";
import { AnotherLogin, LoggedOut, Refusal, Unanswered, ask, sendScans } from "./sending.js";

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {import("./queue.js").Opened} Opened */
/** @typedef {import("./queue.js").Answer} Answer */
/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Scan} Scan */
/** @typedef {"idle" | "sending" | "offline" | "ill" | "login" | "another"} Way idle: all was told; ill: the server answers badly */

export const LOCK = "queue.sending";
const MOST = 200;
const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 5 * 60_000;

class Syncing extends EventTarget {
  /** @type {Way} */
  way = "idle";
  /** When it is tried again by itself. @type {number | null} */
  next = null;
  /** The longest list that this server takes. */
  limit = MOST;
  #size = MOST;
  #failures = 0;
  #tried = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Promise<void> | null} */
  #running = null;
  #again = false;
  #forced = false;

  /**
   * Send what is due. Calls while it sends are one more look afterwards.
   * @param {{now?: boolean}} [how] now: by a person's hand or a fresh network, whatever pause was agreed
   * @returns {Promise<void>}
   */
  sync({ now = false } = {}) {
    if (!me) return Promise.resolve();
    if (now) this.#forced = true;
    else if (this.#mustWait()) return Promise.resolve();
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#untilQuiet().finally(() => {
      this.#running = null;
      this.dispatchEvent(new Event("change"));
    });
    return this.#running;
  }

  /** Whether something is being sent, or about to be. */
  get busy() {
    return this.#running !== null;
  }

  /** Where nobody spoke, a new reason to try is worth a try; a server that asked for a pause gets it. */
  #mustWait() {
    const waits = this.next !== null && this.next > Date.now();
    return waits && (this.way !== "offline" || Date.now() - this.#tried < FIRST_PAUSE_MS);
  }

  async #untilQuiet() {
    do {
      this.#again = false;
      const forced = this.#forced;
      this.#forced = false;
      clearTimeout(this.#timer);
      this.next = null;
      this.#tried = Date.now();
      await alone(() => this.#round(forced));
    } while (this.#again && this.way === "idle");
  }

  /** @param {boolean} forced */
  async #round(forced) {
    const left = new Set();
    try {
      for (;;) {
        const due = (await owed()).filter((entry) => !left.has(entry.id) && (forced || entry.not_before <= Date.now()));
        if (!due.length) break;
        if (!navigator.onLine && !forced) throw new Unanswered();
        this.#turn("sending");
        for (const id of await this.#next(due)) left.add(id);
      }
      this.#failures = 0;
      await trim();
      this.#turn("idle");
      const later = (await owed()).map((entry) => entry.not_before);
      // One that waits for itself holds up nothing that comes after it.
      if (later.length) this.#wake(Math.max(FIRST_PAUSE_MS, Math.min(...later) - Date.now()));
    } catch (fault) {
      this.#stopped(fault);
    }
  }

  /**
   * Send one list of scans, or one of something else. What it could not settle stays owed.
   * @param {Entry[]} due
   * @returns {Promise<string[]>} what was tried
   */
  async #next(due) {
    const scans = due.filter(({ kind }) => kind === "scan");
    const batch = scans.length ? scans.slice(0, Math.min(this.#size, this.limit)) : due.slice(0, 1);
    const ids = batch.map(({ id }) => id);
    // Written before it is sent: who finds it later knows that it may have arrived.
    await change(ids, ({ tries }) => ({ state: "sending", tries: tries + 1 }));
    try {
      const ready = await unlocked(batch);
      const answers = scans.length ? await tellScans(ready) : await tellOne(ready);
      if (answers.size) await settle(answers);
      const open = ids.filter((id) => !answers.has(id));
      if (open.length) await this.#putBack(open);
      // Half an answer is one; none at all is a silence.
      if (open.length === ids.length) throw new Unanswered(200);
      this.#size = Math.min(this.limit, this.#size * 2);
      return ids;
    } catch (fault) {
      await this.#putBack(ids);
      const choked = (fault instanceof Refusal && fault.status !== 0) || (fault instanceof Unanswered && fault.status >= 500);
      if (!choked) throw fault;
      if (batch.length > 1) {
        this.#size = Math.ceil(batch.length / 2);
        if (fault instanceof Unanswered) throw fault;
        return [];
      }
      if (fault instanceof Unanswered) {
        await change(ids, ({ tries }) => ({ not_before: Date.now() + pause(tries) }));
        this.#failures += 1;
        // One that makes the server fall ill must not keep the others; a server that is ill altogether is left alone.
        if (this.#failures > 2) throw fault;
        return ids;
      }
      await settle(new Map([[batch[0]?.id ?? "", refusal(/** @type {Refusal} */ (fault))]]));
      return ids;
    }
  }

  /** @param {string[]} ids */
  #putBack(ids) {
    return change(ids, ({ state }) => (state === "sending" ? { state: "saved" } : {}));
  }

  /** @param {unknown} fault */
  #stopped(fault) {
    if (fault instanceof LoggedOut) return this.#turn("login");
    if (fault instanceof AnotherLogin) return this.#turn("another");
    if (!(fault instanceof Unanswered)) {
      this.#turn("ill");
      this.#pause(LONGEST_PAUSE_MS);
      throw fault;
    }
    this.#failures += 1;
    this.#pause(fault.after_ms || pause(this.#failures));
    this.#turn(fault.status ? "ill" : "offline");
  }

  /** @param {number} ms */
  #pause(ms) {
    this.next = Date.now() + ms;
    this.#wake(ms);
  }

  /** @param {number} ms */
  #wake(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.sync({ now: false }), ms + 20);
  }

  /** @param {Way} way */
  #turn(way) {
    this.way = way;
    this.dispatchEvent(new Event("change"));
  }
}

export const syncing = new Syncing();

/** What became of items, as the answers told it: "item" events with the item in `detail`. */
export const news = new EventTarget();

/** Everything that waits for the server, of this login, in its order. */
async function owed() {
  const known = (/** @type {Entry} */ { kind }) => kind === "scan" || senders.has(kind);
  return (await list()).filter((entry) => OWED.includes(entry.state) && known(entry));
}

/**
 * @param {Entry[]} batch
 * @returns {Promise<Opened[]>}
 */
async function unlocked(batch) {
  const ready = [];
  for (const entry of batch) {
    const plain = await opened(entry);
    // The key comes with the login: without it this waits.
    if (!plain) throw new LoggedOut();
    ready.push(plain);
  }
  return ready;
}

/**
 * @param {Opened[]} ready
 * @returns {Promise<Map<string, Answer>>}
 */
async function tellScans(ready) {
  const scans = ready.map(({ id, at, seq, skew_ms, payload }) => /** @type {Scan} */ ({ ...payload, id, at, seq, ...(skew_ms !== null && { skew_ms }) }));
  const outcomes = await sendScans(ready[0]?.device ?? "", scans);
  const answers = new Map();
  for (const [id, outcome] of outcomes) {
    const remarks = (outcome.remarks ?? []).map(({ sentence }) => sentence).join(" ");
    if (outcome.item) news.dispatchEvent(new CustomEvent("item", { detail: outcome.item }));
    if (outcome.result === "refused") answers.set(id, { state: "refused", said: outcome.detail ?? "", error: outcome.error ?? "" });
    else answers.set(id, { state: remarks ? "remark" : "sent", said: remarks });
  }
  return answers;
}

/**
 * @param {Opened[]} ready
 * @returns {Promise<Map<string, Answer>>}
 */
async function tellOne([entry]) {
  const sender = entry && senders.get(entry.kind);
  if (!entry || !sender) return new Map();
  return new Map([[entry.id, await sender(entry)]]);
}

/**
 * @param {Refusal} fault
 * @returns {Answer}
 */
function refusal(fault) {
  return { state: "refused", said: fault.message, error: fault.name };
}

/**
 * How long to wait after so many failures: growing, and not at the same moment as everyone else.
 * @param {number} failures
 */
export function pause(failures) {
  const whole = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20));
  return whole * (0.5 + Math.random() / 2);
}

/**
 * One tab at a time. Where a browser has no locks (plain http) two may send the same: the ids make it one.
 * @param {() => Promise<void>} work
 */
async function alone(work) {
  if (navigator.locks) await navigator.locks.request(LOCK, work);
  else await work();
}

/**
 * How far the server's clock is from the phone's, as its answer tells; half the way there is taken off.
 * @returns {Promise<{now: string} & Record<string, unknown>>}
 */
export async function fetchSatchel() {
  const began = Date.now();
  const filled = /** @type {{now: string, limit: number} & Record<string, unknown>} */ (await ask("/api/satchel"));
  const ended = Date.now();
  if (!filled?.now) throw new Unanswered();
  await noteSkew(Math.round(Date.parse(filled.now) - (began + ended) / 2)).catch(() => undefined);
  syncing.limit = Math.min(MOST, filled.limit);
  return filled;
}

for (const [source, name] of /** @type {[EventTarget, string][]} */ ([[changes, "kept"], [globalThis, "online"], [globalThis, "pageshow"]]))
  source.addEventListener(name, () => void syncing.sync());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void syncing.sync();
});
