// @ts-check
/**
 * What was scanned since the page was opened, newest first, each line plainly recorded, remarked, refused or not yet
 * sent. A line that was not sent keeps its scan until it is.
 */

import { button, copy, draw, one, part } from "./page.js";
import { spaced } from "./s10.js";
import { clock, say } from "./words.js";

/** @typedef {import("./sending.js").Scan} Scan */
/** @typedef {"sending" | "good" | "remark" | "wrong" | "unsent"} Tone */
/** @typedef {{scan: Scan, waybill: string, act: string, tone: Tone, line: HTMLElement}} Entry */

const ICONS = { sending: "clock", good: "check", remark: "alert", wrong: "cross", unsent: "again" };

export class Log {
  /** @type {Entry[]} */
  #entries = [];
  #section = part("[data-log-section]");
  #onAgain;
  #onOpen;

  /**
   * @param {(entry: Entry) => void} onAgain
   * @param {(waybill: string) => void} onOpen
   */
  constructor(onAgain, onOpen) {
    this.#onAgain = onAgain;
    this.#onOpen = onOpen;
  }

  /**
   * @param {Scan} scan
   * @param {string} waybill
   * @param {string} act the step in words
   * @returns {Entry}
   */
  add(scan, waybill, act) {
    /** @type {Entry} */
    const entry = { scan, waybill, act, tone: "sending", line: copy("log-line") };
    const open = button("[data-line-open]", entry.line);
    open.textContent = spaced(waybill);
    open.addEventListener("click", () => this.#onOpen(waybill));
    const time = one("[data-line-time]", HTMLTimeElement, entry.line);
    time.dateTime = scan.at;
    time.textContent = clock(scan.at);
    button("[data-line-again]", entry.line).addEventListener("click", () => this.#onAgain(entry));
    this.#entries.unshift(entry);
    part("[data-log]", this.#section).prepend(entry.line);
    this.#section.hidden = false;
    this.tell(entry, "sending", say("sending"));
    return entry;
  }

  /**
   * @param {Entry} entry
   * @param {Tone} tone
   * @param {string} words
   */
  tell(entry, tone, words) {
    entry.tone = tone;
    entry.line.dataset.tone = tone;
    draw(part(".dot", entry.line), ICONS[tone]);
    part("[data-line-says]", entry.line).textContent = words;
    button("[data-line-again]", entry.line).hidden = tone !== "unsent";
    const good = this.#entries.filter((each) => each.tone === "good" || each.tone === "remark").length;
    const bad = this.#entries.filter((each) => each.tone !== "good" && each.tone !== "sending").length;
    part("[data-tally]", this.#section).textContent = say(bad ? "tally_bad" : "tally", { good, bad });
  }

  /** What the server has not answered for. */
  get unsent() {
    return this.#entries.filter((each) => each.tone === "unsent");
  }

  /** Whether leaving the page would lose something. */
  get isOwing() {
    return this.#entries.some((each) => each.tone === "unsent" || each.tone === "sending");
  }
}
