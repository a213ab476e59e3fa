// @ts-check
/**
 * A pile: label after label without a pause, held against a list, with one decision for all at the end.
 *
 * Every scan keeps its own time and goes out under its own id. What does not fit (not on the list, not open to the
 * decision, no label of ours) is shown, and is recorded or left out with one tap each. What is being piled survives a
 * reload; it belongs to who scanned it. Nothing here closes by itself, and a label can come at any moment.
 */

import { what } from "./card.js";
import { expectations } from "./expected.js";
import { locator } from "./finder.js";
import { me } from "./identity.js";
import { button, copy, one, part } from "./page.js";
import { keep } from "./queue.js";
import { isLabel, spaced, waybillIn } from "./s10.js";
import { fillers, said, unseen } from "./satchel.js";
import { Refusal, lookUp, receivers } from "./sending.js";
import { Full } from "./shelf.js";
import { give } from "./signals.js";
import { tell } from "./telling.js";
import { say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Proposal} Proposal */
/** @typedef {import("./expected.js").List} List */
/**
 * @typedef {object} Piled
 * @property {string} code
 * @property {string} waybill
 * @property {string} at when it was scanned
 * @property {Item | null} item null until the server has said what it is
 * @property {string} fault why it can never be recorded
 * @property {boolean} along recorded although it is not on the list
 */

const KEY = "scan.pile";
const A_DAY_MS = 24 * 3600_000;
const LOOK_UPS_AT_ONCE = 2;
/** What can be said once for all of a pile; anything else is asked for item by item. */
// The days may stay open: the server knows the usual ones.
const FOR_ALL = ["to", "reason", "again_on", "held_until"];

export class Pile {
  /** @type {Piled[]} the newest first */
  #piled = [];
  /** @type {List[]} */
  #lists = [];
  /** The list that was chosen; what is promised to him where none was. */
  #wanted = "promised";
  #step = "";
  #busy = false;
  #asking = 0;
  /** @type {Piled[]} */
  #unasked = [];
  #panel = part("[data-pile]");
  #form = one("[data-pile-form]", HTMLFormElement);
  #onOpen;

  /** @param {(code: string) => void} onOpen an item is to be dealt with by itself */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.#restore();
    fillers.add(() => this.refresh());
    one("#pile-list", HTMLSelectElement).addEventListener("change", ({ target }) => {
      this.#wanted = /** @type {HTMLSelectElement} */ (target).value;
      this.#changed();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#record();
    });
    part("[data-pile-steps]").addEventListener("change", ({ target }) => {
      this.#step = /** @type {HTMLInputElement} */ (target).value;
      this.#changed();
    });
    button("[data-pile-empty]").addEventListener("click", () => {
      this.#piled = [];
      this.#changed();
      part("[data-verdict]").focus({ preventScroll: true });
    });
    this.#panel.addEventListener("click", (event) => this.#tapped(event));
  }

  /** @param {boolean} shown */
  show(shown) {
    this.#panel.hidden = !shown;
    if (!shown) return;
    this.#changed();
    this.#tell("ready", "", true);
    void this.refresh();
  }

  /** Take the lists anew. */
  async refresh() {
    this.#lists = await expectations();
    for (const piled of this.#piled) this.#know(piled);
    this.#changed();
    if (!this.#panel.hidden) this.#tell("ready", "", true);
  }

  /**
   * @param {string} code
   * @param {string} source
   */
  comes(code, source) {
    const waybill = waybillIn(code);
    const known = this.#piled.find((each) => each.waybill === waybill);
    if (known) {
      if (source !== "camera") this.#tell("ready", say("pile_twice", { last: spaced(waybill) }), true);
      return;
    }
    const fault = isLabel(code) ? "" : say("pile_foreign");
    /** @type {Piled} */
    const piled = { code, waybill, at: new Date().toISOString(), item: null, fault, along: false };
    this.#piled.unshift(piled);
    this.#know(piled);
    this.#changed();
    const last = spaced(waybill).slice(0, 60);
    if (fault) this.#tell("wrong", `${fault} ${last}`);
    else if (!this.#isListed(piled)) this.#tell("remark", say("pile_unlisted", { last }));
    else this.#tell("good", last);
  }

  // What is known of each

  /** @param {Piled} piled */
  #know(piled) {
    if (piled.fault || piled.item) return;
    piled.item = this.#lists.map(({ items }) => items.get(piled.waybill)).find(Boolean) ?? null;
    // The list knows the item, but only the server knows whether the label is genuine; it judges that with the scan.
    if (piled.item || this.#unasked.includes(piled)) return;
    this.#unasked.push(piled);
    void this.#askNext();
  }

  async #askNext() {
    if (this.#asking >= LOOK_UPS_AT_ONCE) return;
    const piled = this.#unasked.shift();
    if (!piled) return;
    this.#asking += 1;
    const answer = await lookUp(piled.code).catch((fault) => fault);
    this.#asking -= 1;
    // Without an answer it stays unknown: the server will judge the scan itself.
    if (answer instanceof Refusal) piled.fault = answer.message || say("refused");
    else if (!(answer instanceof Error)) piled.item = answer;
    if (this.#piled.includes(piled)) {
      this.#changed();
      if (piled.fault) this.#tell("wrong", `${spaced(piled.waybill)} · ${piled.fault}`);
    }
    void this.#askNext();
  }

  /** The list it is held against; the last of all expects nothing. */
  get #list() {
    return this.#lists.find(({ name }) => name === this.#wanted) ?? this.#lists.at(-1);
  }

  /** @returns {Map<string, Item>} */
  get #expected() {
    return this.#list?.items ?? new Map();
  }

  /** @param {Piled} piled */
  #isListed(piled) {
    return this.#expected.size === 0 || this.#expected.has(piled.waybill);
  }

  /**
   * What the step asks for here; null when it is not open to the item.
   * @param {Piled} piled
   * @param {string} step
   * @returns {string[] | null}
   */
  #needs({ item, fault }, step) {
    if (fault) return null;
    const needs = (item?.proposals ?? unseen()).find((each) => each.step === step)?.needs;
    // What nobody could be asked about may be anything: the server judges the scan.
    if (!needs && !item) return [];
    return needs && needs.every((each) => FOR_ALL.includes(each)) ? needs : null;
  }

  /** @param {Piled} piled */
  #isIn(piled) {
    return Boolean(this.#step) && this.#needs(piled, this.#step) !== null && (piled.along || this.#isListed(piled));
  }

  // What is shown

  #changed() {
    this.#keep();
    this.#showLists();
    this.#showSteps();
    this.#showLines();
    const count = this.#piled.filter((each) => this.#isIn(each)).length;
    const step = this.#steps().find((each) => each.step === this.#step);
    const record = button("[data-pile-record]");
    part("span", record).textContent = step ? say("pile_record", { act: step.text, count }) : "";
    record.hidden = count === 0;
    record.setAttribute("aria-disabled", String(this.#busy));
    this.#form.hidden = button("[data-pile-empty]").hidden = this.#piled.length === 0;
    part("[data-pile-none]").hidden = this.#piled.length > 0;
  }

  #showLists() {
    const select = one("#pile-list", HTMLSelectElement);
    const wanted = this.#lists.map(({ name, text, items }) => [name, items.size ? `${text} (${items.size})` : text]);
    const shown = [...select.options].map((each) => [each.value, each.text]);
    if (JSON.stringify(wanted) !== JSON.stringify(shown)) select.replaceChildren(...wanted.map(([name, text]) => new Option(text, name)));
    select.value = this.#list?.name ?? "";
    const missing = [...this.#expected.values()].filter(({ waybill }) => !this.#piled.some((each) => each.waybill === waybill));
    const part_ = one("[data-pile-missing]", HTMLDetailsElement);
    part_.hidden = !missing.length || !this.#piled.length;
    part("[data-pile-missing-says]").textContent = say("pile_missing", { count: missing.length });
    part("[data-pile-missing-list]").replaceChildren(...missing.map((item) => line(spaced(item.waybill), what(item))));
  }

  /** The steps open to at least one of the pile, the most common first. */
  #steps() {
    /** @type {Map<string, {step: string, text: string, count: number, first: number}>} */
    const steps = new Map();
    for (const { item, fault } of this.#piled) {
      if (fault) continue;
      (item?.proposals ?? unseen()).forEach(({ step, text, needs }, place) => {
        if (!needs.every((each) => FOR_ALL.includes(each))) return;
        const known = steps.get(step) ?? { step, text, count: 0, first: 0 };
        steps.set(step, { ...known, count: known.count + 1, first: known.first + (place === 0 ? 1 : 0) });
      });
    }
    return [...steps.values()].sort((a, b) => b.first - a.first || b.count - a.count);
  }

  #showSteps() {
    const steps = this.#steps();
    if (!steps.some(({ step }) => step === this.#step)) this.#step = steps[0]?.step ?? "";
    const box = part("[data-pile-steps]");
    const key = steps.map(({ step, count }) => `${step} ${count}`).join();
    if (box.dataset.key !== key) {
      const focused = box.contains(document.activeElement);
      box.dataset.key = key;
      box.replaceChildren(
        ...steps.map(({ step, text, count }) => {
          const choice = copy("pile-step");
          const radio = one("input", HTMLInputElement, choice);
          radio.value = step;
          part("span", choice).textContent = text;
          part("b", choice).textContent = String(count);
          return choice;
        }),
      );
      if (focused) box.querySelector("input")?.focus({ preventScroll: true });
    }
    for (const each of box.querySelectorAll("input")) each.checked = each.value === this.#step;
    const needs = new Set(this.#piled.flatMap((each) => (this.#isIn(each) ? (this.#needs(each, this.#step) ?? []) : [])));
    part("[data-pile-need=reason]").hidden = !needs.has("reason");
    part("[data-pile-need=to]").hidden = !needs.has("to");
    if (needs.has("reason")) this.#reasons();
    if (needs.has("to")) void this.#people();
  }

  /** Those that can explain the step. */
  #reasons() {
    const select = one("#pile-reason", HTMLSelectElement);
    if (select.dataset["step"] === this.#step) return;
    select.dataset["step"] = this.#step;
    const known = /** @type {HTMLOptionElement[]} */ ([...one("#pile-reasons", HTMLTemplateElement).content.querySelectorAll("option")]);
    const fitting = known.filter((why) => why.dataset["steps"]?.split(" ").includes(this.#step));
    select.replaceChildren(...[...select.options].slice(0, 1), ...fitting.map((why) => why.cloneNode(true)));
    select.value = "";
  }

  async #people() {
    const select = one("#pile-to", HTMLSelectElement);
    const any = this.#piled.find((each) => each.item);
    if (select.options.length > 1 || !any) return;
    const found = await receivers(any.code).catch(() => []);
    if (select.options.length > 1) return;
    select.append(...found.map(({ party, text }) => new Option(text, party)));
  }

  #showLines() {
    const misfits = this.#piled.filter((each) => !this.#isIn(each) || (each.along && !this.#isListed(each)));
    const fitting = this.#piled.filter((each) => !misfits.includes(each));
    part("[data-pile-misfits]").hidden = misfits.length === 0;
    part("[data-pile-misfits-says]").textContent = say("pile_misfits", { count: misfits.length });
    part("[data-pile-misfits-list]").replaceChildren(...misfits.map((each) => this.#misfit(each)));
    part("[data-pile-fitting]").hidden = fitting.length === 0;
    part("[data-pile-fitting-says]").textContent = say("pile_fitting", { count: fitting.length });
    part("[data-pile-fitting-list]").replaceChildren(
      ...fitting.map((each) => this.#line(each, each.item ? what(each.item) : say("pile_unknown"), ["out"])),
    );
  }

  /** @param {Piled} piled */
  #misfit(piled) {
    if (piled.fault) return this.#line(piled, piled.fault, ["out"]);
    if (this.#needs(piled, this.#step) === null) return this.#line(piled, say("pile_closed"), ["alone", "out"]);
    if (!piled.along) return this.#line(piled, say("pile_not_listed"), ["along", "out"]);
    return this.#line(piled, say("pile_along"), ["out"]);
  }

  /**
   * @param {Piled} piled
   * @param {string} words
   * @param {string[]} taps
   */
  #line(piled, words, taps) {
    const shown = line(isLabel(piled.code) ? spaced(piled.waybill) : piled.waybill.slice(0, 60), words);
    shown.dataset.waybill = piled.waybill;
    shown.dataset.tone = piled.fault ? "wrong" : this.#isListed(piled) ? "good" : "remark";
    for (const each of shown.querySelectorAll("button")) {
      each.hidden = !taps.includes(each.dataset.tap ?? "");
      each.setAttribute("aria-label", `${each.textContent?.trim()} ${spaced(piled.waybill)}`);
    }
    return shown;
  }

  /** @param {Event} event */
  #tapped(event) {
    const tap = event.target instanceof Element ? event.target.closest("[data-tap]") : null;
    const waybill = tap?.closest("[data-waybill]")?.getAttribute("data-waybill");
    const piled = this.#piled.find((each) => each.waybill === waybill);
    if (!tap || !piled) return;
    const way = tap.getAttribute("data-tap");
    if (way === "along") piled.along = true;
    else this.#piled = this.#piled.filter((each) => each !== piled);
    this.#changed();
    if (way === "alone") return this.#onOpen(piled.code);
    this.#tell("ready", "", true);
    // The button that was pressed is gone.
    part("[data-verdict]").focus({ preventScroll: true });
  }

  /**
   * @param {"ready" | "good" | "remark" | "wrong" | "kept"} tone
   * @param {string} words
   * @param {boolean} [silent]
   */
  #tell(tone, words, silent = false) {
    const sound = this.#piled.filter((each) => !each.fault);
    const expected = this.#expected.size;
    const found = expected ? sound.filter((each) => this.#isListed(each)).length : sound.length;
    const strangers = sound.length - found;
    const title = expected ? say("of", { found, expected }) : say("pile_count", { count: found });
    const rest = strangers ? say("pile_strangers", { count: strangers }) : expected && found === expected ? say("pile_complete") : "";
    const ready = this.#piled.length ? "" : say("pile_ready");
    tell(tone, title, [rest, words || ready].filter(Boolean).join(" · "), { silent });
  }

  // What is done

  async #record() {
    const scans = this.#piled.filter((each) => this.#isIn(each)).reverse();
    const step = this.#steps().find((each) => each.step === this.#step);
    if (!scans.length || !step || this.#busy) return give("wrong");
    const needs = new Set(scans.flatMap((each) => this.#needs(each, this.#step) ?? []));
    const [to, reason] = [one("#pile-to", HTMLSelectElement), one("#pile-reason", HTMLSelectElement)];
    for (const [need, field] of /** @type {[string, HTMLSelectElement][]} */ ([["to", to], ["reason", reason]])) {
      field.toggleAttribute("aria-invalid", needs.has(need) && !field.value);
      if (!needs.has(need) || field.value) continue;
      part("[data-pile-problem]").textContent = say(`need_${need}`);
      part("[data-pile-problem]").hidden = false;
      give("wrong");
      return field.focus();
    }
    part("[data-pile-problem]").hidden = true;
    this.#busy = true;
    const position = locator.now();
    let done = 0;
    try {
      for (const piled of scans) {
        const wants = this.#needs(piled, step.step) ?? [];
        const claim = {
          code: piled.code,
          step: step.step,
          at: piled.at,
          ...(wants.includes("to") && { to: to.value }),
          ...(wants.includes("reason") && { reason: reason.value }),
          ...(position && { position }),
        };
        // On the disk one by one: what is there is there, whatever happens to the rest.
        await keep("scan", claim);
        done += 1;
        if (piled.item) void said(piled.item, step.step);
        this.#piled = this.#piled.filter((each) => each !== piled);
        for (const { items } of this.#lists) items.delete(piled.waybill);
        this.#keep();
      }
      tell("kept", say("pile_kept", { count: done }), this.#piled.length ? say("pile_left", { count: this.#piled.length }) : step.text);
    } catch (fault) {
      if (!(fault instanceof Full)) throw fault;
      tell("wrong", say("full"), `${say("pile_kept", { count: done })}. ${say("full_text")}`);
    } finally {
      this.#busy = false;
      this.#changed();
      part("[data-verdict]").focus({ preventScroll: true });
    }
  }

  // What survives

  #keep() {
    const scans = this.#piled.map(({ code, at, along }) => ({ code, at, along }));
    if (scans.length) localStorage.setItem(KEY, JSON.stringify({ by: me, list: this.#wanted, step: this.#step, scans }));
    else if (this.#isMine()) localStorage.removeItem(KEY);
  }

  #isMine() {
    return stored().by === me;
  }

  #restore() {
    const { list, step, scans } = stored();
    if (!this.#isMine()) return;
    [this.#wanted, this.#step] = [list || this.#wanted, step];
    this.#piled = scans
      .filter(({ at }) => Date.now() - Date.parse(at) < A_DAY_MS)
      .map(({ code, at, along }) => ({ code, waybill: waybillIn(code), at, item: null, fault: isLabel(code) ? "" : say("pile_foreign"), along }));
  }
}

/** @returns {{by: string, list: string, step: string, scans: {code: string, at: string, along: boolean}[]}} */
function stored() {
  const nothing = { by: "", list: "", step: "", scans: [] };
  try {
    return { ...nothing, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return nothing;
  }
}

/**
 * @param {string} waybill
 * @param {string} words
 */
function line(waybill, words) {
  const shown = copy("pile-line");
  part(".waybill", shown).textContent = waybill;
  part("[data-pile-says]", shown).textContent = words;
  return shown;
}
