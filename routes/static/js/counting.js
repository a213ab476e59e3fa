// @ts-check
/** Just counting: how many different labels went by, against the number that was announced. Nobody's custody moves. */

import { button, input, one, part } from "./page.js";
import { isLabel, spaced, waybillIn } from "./s10.js";
import { tell } from "./telling.js";
import { say } from "./words.js";

const KEY = "scan.count";
const HIGHEST = 9999;

/** @typedef {{announced: number | null, codes: string[], byHand: number}} Count `byHand`: without a label to be read */

export class Counting {
  /** @type {Count} */
  #count = { announced: null, codes: [], byHand: 0 };
  #panel = part("[data-counting]");

  constructor() {
    try {
      this.#count = { ...this.#count, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
    } catch {
      // Somebody else's or half a number: counting starts anew.
    }
    const asked = Number(new URLSearchParams(location.search).get("of"));
    if (asked > 0) this.#count.announced = Math.min(HIGHEST, Math.floor(asked));
    const field = input("#announced", this.#panel);
    field.value = String(this.#count.announced ?? "");
    field.addEventListener("input", () => {
      this.#count.announced = /^\d{1,4}$/.test(field.value.trim()) ? Number(field.value) : null;
      this.#changed(null);
    });
    one("form", HTMLFormElement, this.#panel).addEventListener("submit", (event) => event.preventDefault());
    button("[data-count-more]").addEventListener("click", () => this.#add(1));
    button("[data-count-less]").addEventListener("click", () => this.#add(-1));
    button("[data-count-again]").addEventListener("click", () => {
      this.#count = { ...this.#count, codes: [], byHand: 0 };
      this.#changed(null);
    });
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#panel.hidden = !shown;
    if (shown) this.#changed(null, true);
  }

  /**
   * @param {string} code
   * @param {string} source
   */
  comes(code, source) {
    const key = waybillIn(code);
    if (!isLabel(code)) return tell("wrong", say("count_foreign"), key.slice(0, 60));
    const last = spaced(key);
    if (this.#count.codes.includes(key)) {
      // A label that is still in the camera's picture is no news.
      if (source !== "camera") this.#changed(say("count_twice", { last }));
      return;
    }
    this.#count.codes.push(key);
    this.#changed(last);
  }

  get #total() {
    return this.#count.codes.length + this.#count.byHand;
  }

  /** @param {number} by */
  #add(by) {
    const byHand = this.#count.byHand + by;
    if (byHand + this.#count.codes.length < 0) return;
    this.#count.byHand = byHand;
    this.#changed(say("count_by_hand"));
  }

  /**
   * @param {string | null} last what was just counted, none when something else changed
   * @param {boolean} [silent]
   */
  #changed(last, silent = false) {
    localStorage.setItem(KEY, JSON.stringify(this.#count));
    const [total, announced] = [this.#total, this.#count.announced];
    const open = announced === null ? 0 : announced - total;
    const words = announced === null ? say("count_free") : open > 0 ? say("count_missing", { open }) : open < 0 ? say("count_over", { over: -open }) : say("count_complete");
    const tone = announced === null || open > 0 ? (total ? "read" : "ready") : open < 0 ? "remark" : "good";
    const title = announced === null ? String(total) : say("of", { found: total, expected: announced });
    const full = announced !== null && open <= 0;
    tell(tone, title, last ? `${words} · ${last}` : words, { silent: silent || (last === null && !full) });
    part("[data-count-hand]", this.#panel).textContent = this.#count.byHand ? say("count_hand", { count: this.#count.byHand }) : "";
  }
}
