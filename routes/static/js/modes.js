// @ts-check
/** How labels are dealt with: one by one, as a pile with one decision for all, or just counted. It is remembered. */

import { part } from "./page.js";

/** @typedef {"single" | "pile" | "count"} Mode */

const KEY = "scan.mode";
/** @type {Mode[]} */
const MODES = ["single", "pile", "count"];

export class Modes {
  /** @type {Mode} */
  now = "single";
  #switch = part("[data-modes]");
  #onChange;

  /** @param {(mode: Mode) => void} onChange told of the first mode, too */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#switch.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) this.turn(/** @type {Mode} */ (target.value));
    });
  }

  /** Begin as the address says, or as it was left the last time. */
  open() {
    const asked = new URLSearchParams(location.search).get("mode") ?? localStorage.getItem(KEY);
    this.turn(MODES.find((each) => each === asked) ?? "single");
  }

  /** @param {Mode} mode */
  turn(mode) {
    this.now = mode;
    localStorage.setItem(KEY, mode);
    document.body.dataset.mode = mode;
    for (const each of this.#switch.querySelectorAll("input")) each.checked = each.value === mode;
    this.#onChange(mode);
  }
}
