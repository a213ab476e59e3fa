// @ts-check
/**
 * What was done on this phone, newest first, each line plainly saved here, sent, answered with a remark or refused;
 * and how the sending stands. Shows the queue and sends it by button; knows nothing of the card.
 */

import { button, copy, draw, one, part } from "./page.js";
import { OWED, changes, dismiss, list, skew, waitingForOthers } from "./queue.js";
import { spaced } from "./s10.js";
import { heard } from "./sending.js";
import { syncing } from "./syncing.js";
import { clock, knows, say } from "./words.js";

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {"kept" | "sending" | "good" | "remark" | "wrong"} Tone */

/** @type {Record<import("./queue.js").State, Tone>} */
const TONES = { saved: "kept", sending: "sending", sent: "good", remark: "remark", refused: "wrong" };
const ICONS = { kept: "mobile", sending: "clock", good: "check", remark: "alert", wrong: "cross" };
/** Of what was sent, so many are shown; what waits or wants to be seen is shown whole. */
const SENT_SHOWN = 30;
/** A clock this far off is worth setting; what it tells is put right by the server, and flagged beyond its tolerance. */
const OFF_MINUTES = 2;
/** It stays until it was seen, or somebody else has the phone. */
const NOTICE = "notice";

/**
 * The step in words.
 * @param {Pick<Entry, "step">} entry
 */
export function act({ step }) {
  return knows(`step_${step}`) ? say(`step_${step}`) : step;
}

export class Log extends EventTarget {
  /** @type {Map<string, {line: HTMLElement, entry: Entry | null}>} */
  #lines = new Map();
  #section = part("[data-log-section]");
  #onOpen;
  #reading = false;
  #again = false;

  /** @param {(waybill: string) => void} onOpen */
  constructor(onOpen) {
    super();
    this.#onOpen = onOpen;
    changes.addEventListener("change", () => void this.show());
    syncing.addEventListener("change", () => void this.show());
    button("[data-send-now]").addEventListener("click", () => void this.#send());
    heard.addEventListener("notice", (event) => this.#note(/** @type {CustomEvent<string>} */ (event).detail));
    button("[data-notice-seen]").addEventListener("click", () => this.#note(""));
    this.#note(localStorage.getItem(NOTICE) ?? "");
    button("[data-seen-all]").addEventListener("click", () => void this.#dismissAll());
    void this.show();
  }

  /** Read the queue and show it. */
  async show() {
    this.#again = this.#reading;
    if (this.#reading) return;
    this.#reading = true;
    try {
      const [entries, others] = await Promise.all([list(), waitingForOthers()]);
      this.#fill(entries);
      this.#tally(entries);
      this.#tellWay(entries, others);
      await this.#tellClock();
    } finally {
      this.#reading = false;
    }
    if (this.#again) await this.show();
  }

  /** @param {Entry[]} entries */
  #fill(entries) {
    const newest = entries.toReversed();
    const old = new Set(newest.filter(({ state }) => state === "sent").slice(SENT_SHOWN));
    const shown = newest.filter((entry) => !old.has(entry));
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, { line }] of this.#lines) {
      if (ids.has(id)) continue;
      line.remove();
      this.#lines.delete(id);
    }
    const place = part("[data-log]", this.#section);
    shown.forEach((entry, at) => {
      const known = this.#lines.get(entry.id) ?? this.#add(entry);
      if (place.children[at] !== known.line) place.insertBefore(known.line, place.children[at] ?? null);
      if (known.entry?.state !== entry.state || known.entry.said !== entry.said) this.#tell(known.line, entry);
      const before = known.entry?.state;
      known.entry = entry;
      if (before && OWED.includes(before) && !OWED.includes(entry.state)) this.dispatchEvent(new CustomEvent("settled", { detail: entry }));
    });
    const more = part("[data-log-more]", this.#section);
    more.hidden = old.size === 0;
    more.textContent = old.size ? say("log_more", { count: old.size }) : "";
  }

  /** @param {Entry} entry */
  #add(entry) {
    const line = copy("log-line");
    const open = button("[data-line-open]", line);
    open.textContent = spaced(entry.waybill);
    open.addEventListener("click", () => this.#onOpen(entry.waybill));
    const time = one("[data-line-time]", HTMLTimeElement, line);
    time.dateTime = entry.at;
    time.textContent = clock(entry.at);
    button("[data-line-seen]", line).addEventListener("click", () => void dismiss([entry.id]));
    const known = { line, entry: null };
    this.#lines.set(entry.id, known);
    return known;
  }

  /**
   * @param {HTMLElement} line
   * @param {Entry} entry
   */
  #tell(line, entry) {
    const tone = TONES[entry.state];
    line.dataset["tone"] = tone;
    draw(part(".dot", line), ICONS[tone]);
    part("[data-line-act]", line).textContent = act(entry);
    part("[data-line-state]", line).textContent = say(`state_${entry.state}`);
    const said = part("[data-line-said]", line);
    said.textContent = entry.said;
    said.hidden = !entry.said;
    button("[data-line-seen]", line).hidden = tone !== "remark" && tone !== "wrong";
  }

  /** @param {Entry[]} entries */
  #tally(entries) {
    const count = (/** @type {string[]} */ ...states) => entries.filter(({ state }) => states.includes(state)).length;
    const counts = { owed: count(...OWED), sent: count("sent"), remark: count("remark"), refused: count("refused") };
    this.#section.hidden = entries.length === 0;
    for (const [name, number] of Object.entries(counts)) {
      const mark = part(`[data-count="${name}"]`, this.#section);
      mark.hidden = number === 0;
      mark.textContent = say(`count_${name}`, { count: number });
    }
    button("[data-seen-all]").hidden = counts.remark + counts.refused < 2;
  }

  /**
   * How the sending stands, said where the count is.
   * @param {Entry[]} entries
   * @param {Map<string, number>} others
   */
  #tellWay(entries, others) {
    const owed = entries.filter(({ state }) => OWED.includes(state)).length;
    const line = part("[data-way]");
    line.hidden = owed === 0;
    line.dataset["way"] = syncing.way;
    const at = syncing.next ? clock(new Date(syncing.next)) : "";
    part("[data-way-says]", line).textContent = owed ? say(`way_${syncing.way}`, { count: owed, at }) : "";
    button("[data-send-now]").hidden = syncing.way === "sending";
    part("[data-others-wait]").hidden = others.size === 0;
    part("[data-others-wait-says]").textContent = [...others].map(([login, count]) => say("others_wait", { login, count })).join(" ");
  }

  /** Say how far this phone's clock is off: times are told by it. */
  async #tellClock() {
    const minutes = Math.round(((await skew()) ?? 0) / 60_000);
    const note = part("[data-clock]");
    note.hidden = Math.abs(minutes) < OFF_MINUTES;
    part("span", note).textContent = note.hidden ? "" : say(minutes > 0 ? "clock_slow" : "clock_fast", { minutes: Math.abs(minutes) });
  }

  /**
   * What the server said of a whole list.
   * @param {string} sentence
   */
  #note(sentence) {
    if (sentence) localStorage.setItem(NOTICE, sentence);
    else localStorage.removeItem(NOTICE);
    const note = part("[data-notice]", this.#section);
    note.hidden = !sentence;
    part("[data-notice-says]", note).textContent = sentence;
  }

  async #send() {
    await syncing.sync({ now: true });
    if (syncing.way === "login") this.dispatchEvent(new Event("login"));
  }

  async #dismissAll() {
    const seen = (await list()).filter(({ state }) => state === "remark" || state === "refused");
    await dismiss(seen.map(({ id }) => id));
  }
}
