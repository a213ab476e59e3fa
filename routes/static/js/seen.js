// @ts-check
/** Which codes of a camera's stream are news. A label that lies in the picture is told once. */

import { waybillIn } from "./s10.js";

const SAME_FOR_MS = 2000;

export class Seen {
  /** @type {Map<string, number>} */
  #last = new Map();

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
}
