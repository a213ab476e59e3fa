// @ts-check
/** Which codes of a camera's stream are news. A label that lies in the picture is told once. */

import { isLabel, waybillIn } from "./s10.js";

const SAME_FOR_MS = 2000;
/** Only the QR proves who printed a label: its bars alone are believed when no QR was read for so long. */
const BARS_WAIT_MS = 400;

export class Seen {
  /** @type {Map<string, number>} */
  #last = new Map();
  /** Since when the bars alone have been seen. @type {Map<string, {first: number, last: number}>} */
  #bars = new Map();

  /**
   * Those of one picture's codes that are news.
   * @param {string[]} codes a label's QR before its bars
   * @param {number} now milliseconds
   */
  news(codes, now) {
    return codes.filter((code) => !this.#isEarly(code, now) && this.isNews(code, now));
  }

  /**
   * Whether this is news. The QR and the bars of one label are the same news.
   * @param {string} code
   * @param {number} now milliseconds
   */
  isNews(code, now) {
    for (const [key, at] of this.#last) if (now - at >= SAME_FOR_MS) this.#last.delete(key);
    const key = waybillIn(code);
    const known = this.#last.has(key);
    // Seen again is seen now: a label left in the picture stays old news.
    this.#last.set(key, now);
    return !known;
  }

  /**
   * @param {string} code
   * @param {number} now
   */
  #isEarly(code, now) {
    const key = waybillIn(code);
    if (code.trim().length !== key.length || !isLabel(code) || this.#last.has(key)) return false;
    for (const [other, { last }] of this.#bars) if (now - last >= SAME_FOR_MS) this.#bars.delete(other);
    const first = this.#bars.get(key)?.first ?? now;
    this.#bars.set(key, { first, last: now });
    return now - first < BARS_WAIT_MS;
  }
}
