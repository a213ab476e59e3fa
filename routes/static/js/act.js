// @ts-check
/**
 * The form of one act: shows what the step needs, prefilled with what is known, and makes the claim of it.
 *
 * Knows nothing of the camera or of sending.
 */

import { button, copy, input, one, part } from "./page.js";
import { cashIn, showPay } from "./pay.js";
import { knownReceivers } from "./satchel.js";
import { receivers } from "./sending.js";
import { SignaturePad } from "./signature.js";
import { say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Proposal} Proposal */
/** @typedef {import("./sending.js").Claim} Claim */
/** @typedef {Omit<Claim, "code" | "step">} Details */

const MANY_PEOPLE = 6;
const HIGHEST = 999;
/** From the citizen it is the citizen's word; who receives a delivery also shows a document. */
const WITH_IDENTITY = "delivered";
const OTHER_REASON = "other";

/** What is missing, and the field where it belongs. */
class Missing extends Error {
  /**
   * @param {string} words
   * @param {HTMLElement} field
   */
  constructor(words, field) {
    super(say(words));
    this.field = field;
  }
}

export class Act {
  /** Whether the person has entered something that another label must not wipe away. */
  touched = false;
  /** @type {Proposal | null} */
  proposal = null;
  #form;
  #pad;

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} onDo
   */
  constructor(form, onDo) {
    this.#form = form;
    this.#pad = new SignaturePad(one("[data-pad]", HTMLCanvasElement, form), () => this.#signed());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onDo();
    });
    form.addEventListener("input", (event) => this.#changed(event));
    form.addEventListener("click", (event) => this.#pressed(event));
    part("#to-search", form).addEventListener("input", () => this.#search());
    this.#signed();
    this.touched = false;
  }

  /**
   * Start afresh with this item and this act.
   * @param {string} code
   * @param {Item} item
   * @param {Proposal} proposal
   */
  show(code, item, proposal) {
    this.proposal = proposal;
    this.#form.reset();
    this.#pad.clear();
    this.problem(null);
    this.#place(proposal.needs.length > 0);
    for (const need of this.#form.querySelectorAll("fieldset")) {
      const wanted = proposal.needs.some((each) => each === need.dataset.need);
      // A disabled field set gives nothing to the form's data.
      need.disabled = need.hidden = !wanted;
    }
    for (const why of this.#form.querySelectorAll("label[data-steps]"))
      if (why instanceof HTMLElement) why.hidden = !why.dataset.steps?.split(" ").includes(proposal.step);
    const today = new Date();
    today.setMinutes(today.getMinutes() - today.getTimezoneOffset());
    for (const day of ["#again_on", "#held_until"]) input(day, this.#form).min = today.toISOString().slice(0, 10);
    this.#value("originals", String(item.originals ?? ""));
    this.#value("copies", String(item.copies ?? ""));
    this.#value("seal_no", item.seal_no ?? "");
    input("#due_on", this.#form).min = new Date().toISOString().slice(0, 10);
    part("[data-act-name]", this.#form).textContent = proposal.text;
    part("[data-do-says]", this.#form).textContent = proposal.text;
    part('[data-proof="identity"]', this.#form).hidden = proposal.step !== WITH_IDENTITY;
    this.#proofBy();
    showPay(this.#form, item, proposal.needs.includes("proof"));
    this.touched = false;
    if (proposal.needs.includes("to")) void this.#people(code);
  }

  /** Where the next key belongs: the first thing to enter, else the big button. */
  focus() {
    const empty = [...this.#form.querySelectorAll("fieldset:not([hidden]) input:not([type=radio]):not([data-optional])")].find(
      (each) => each instanceof HTMLInputElement && !each.value && each.offsetParent,
    );
    const typing = matchMedia("(pointer: fine)").matches;
    const first = typing && empty instanceof HTMLElement ? empty : null;
    // A phone's keyboard rises when it is touched for, not before.
    const rest = this.proposal?.needs.length && !typing ? part("[data-act-name]", this.#form) : button("[data-do]", this.#form);
    (first ?? rest).focus({ preventScroll: true });
  }

  /**
   * While one is being sent, the next press is not another.
   * @param {boolean} busy
   */
  set busy(busy) {
    // Not disabled: a button that is loses the focus.
    button("[data-do]", this.#form).setAttribute("aria-disabled", String(busy));
  }

  get busy() {
    return button("[data-do]", this.#form).getAttribute("aria-disabled") === "true";
  }

  /**
   * @param {string | null} sentence
   * @param {HTMLElement} [field]
   */
  problem(sentence, field) {
    const line = part("[data-act-problem]", this.#form);
    line.hidden = sentence === null;
    line.textContent = sentence ?? "";
    for (const marked of this.#form.querySelectorAll("[aria-invalid]")) marked.removeAttribute("aria-invalid");
    if (!field) return;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }

  /** A one-time code that was wrong is typed anew. */
  forgetCode() {
    this.#value("code", "");
  }

  /**
   * What the person says, or null when something is missing, which is then said and shown.
   * @returns {Details | null}
   */
  details() {
    try {
      const details = this.#gather(new Set(this.proposal?.needs));
      this.problem(null);
      return details;
    } catch (fault) {
      if (!(fault instanceof Missing)) throw fault;
      this.problem(fault.message, fault.field);
      return null;
    }
  }

  /** @param {Set<string>} needs */
  #gather(needs) {
    /** @type {Details} */
    const details = {};
    const data = new FormData(this.#form);
    /** @param {string} name */
    const text = (name) => String(data.get(name) ?? "").trim();
    if (needs.has("reason")) {
      details.reason = this.#must(text("reason"), "need_reason", "[name=reason]");
      if (details.reason === OTHER_REASON && !text("note")) this.#openAmiss();
      if (details.reason === OTHER_REASON) this.#must(text("note"), "need_note", "#note");
    }
    if (text("again_on")) details.again_on = text("again_on");
    if (text("held_until")) details.held_until = text("held_until");
    if (needs.has("to")) details.to = this.#must(text("to"), "need_to", "[name=to], #to-search");
    if (needs.has("counts")) {
      details.originals = this.#count("originals", text("originals"));
      details.copies = this.#count("copies", text("copies"));
    }
    if (data.has("seal_broken")) details.seal_broken = true;
    if (data.has("damaged")) details.damaged = true;
    if (needs.has("seal")) {
      const seal = text("seal_no").toUpperCase();
      if (!details.seal_broken) this.#must(seal, "need_seal", "#seal_no");
      if (seal) details.seal_no = seal;
    }
    if (needs.has("code_and_due")) {
      details.dossier_code = this.#must(text("dossier_code"), "need_dossier_code", "#dossier_code");
      details.due_on = this.#must(text("due_on"), "need_due_on", "#due_on");
    }
    if (needs.has("proof")) details.proof = this.#proof(text);
    if (text("note")) details.note = text("note");
    const cash = cashIn(data);
    if (cash) details.cash = cash;
    return details;
  }

  /**
   * @param {(name: string) => string} text
   * @returns {Record<string, string>}
   */
  #proof(text) {
    if (text("proof") === "code") {
      const code = text("code").replace(/\s/g, "");
      return { kind: "code", code: this.#must(/^\d{6}$/.test(code) ? code : "", "need_code", "#code") };
    }
    if (this.#pad.isEmpty) throw new Missing("need_signature", part("[data-pad]", this.#form));
    const signature = { kind: "signature", signature: this.#pad.path() };
    if (this.proposal?.step !== WITH_IDENTITY) return signature;
    const last4 = text("id_last4").toUpperCase();
    return {
      ...signature,
      receiver: text("receiver"),
      id_kind: text("id_kind"),
      id_last4: this.#must(last4.length === 4 ? last4 : "", "need_id_last4", "#id_last4"),
    };
  }

  /**
   * @param {string} value
   * @param {string} words
   * @param {string} selector
   */
  #must(value, words, selector) {
    if (!value) throw new Missing(words, part(selector, this.#form));
    return value;
  }

  /**
   * @param {"originals" | "copies"} name
   * @param {string} value
   */
  #count(name, value) {
    return Number(this.#must(/^\d{1,3}$/.test(value) ? value : "", "need_counts", `#${name}`));
  }

  /** @param {Event} event */
  #changed(event) {
    this.touched = true;
    const field = event.target;
    if (!(field instanceof HTMLInputElement)) return;
    field.removeAttribute("aria-invalid");
    if (field.name === "proof") this.#proofBy();
    if (field.name === "reason" && field.value === OTHER_REASON) this.#openAmiss();
  }

  /** @param {Event} event */
  #pressed(event) {
    const pressed = event.target instanceof Element ? event.target.closest("button") : null;
    if (pressed?.hasAttribute("data-pad-clear")) this.#pad.clear();
    const more = pressed?.getAttribute("data-more");
    const less = pressed?.getAttribute("data-less");
    if (more) this.#step(more, 1);
    if (less) this.#step(less, -1);
  }

  /**
   * @param {string} name
   * @param {number} by
   */
  #step(name, by) {
    const next = Number(input(`#${name}`, this.#form).value || 0) + by;
    this.#value(name, String(Math.min(HIGHEST, Math.max(0, next))));
    input(`#${name}`, this.#form).removeAttribute("aria-invalid");
    this.touched = true;
  }

  #proofBy() {
    const kind = String(new FormData(this.#form).get("proof") ?? "code");
    for (const each of ["code", "signature"]) part(`[data-proof="${each}"]`, this.#form).hidden = each !== kind;
  }

  #signed() {
    this.touched = true;
    part("[data-pad-state]", this.#form).textContent = say(this.#pad.isEmpty ? "unsigned" : "signed");
    part("[data-pad]", this.#form).removeAttribute("aria-invalid");
  }

  /**
   * With nothing to enter, the button comes first and is kept in sight; nothing that can be pressed lies before it.
   * @param {boolean} needy
   */
  #place(needy) {
    const amiss = one("[data-amiss]", HTMLDetailsElement, this.#form);
    amiss.open = false;
    const act = button("[data-do]", this.#form);
    if (needy) act.before(amiss);
    else act.after(amiss);
    this.#form.dataset.needy = String(needy);
  }

  #openAmiss() {
    one("[data-amiss]", HTMLDetailsElement, this.#form).open = true;
  }

  /** @param {string} code */
  async #people(code) {
    const list = part("[data-to-list]", this.#form);
    list.replaceChildren();
    const shown = this.proposal;
    const found = await receivers(code).catch(knownReceivers);
    if (shown !== this.proposal) return;
    for (const { party, text } of found) {
      const line = copy("person");
      input("input", line).value = party;
      part("span", line).textContent = text;
      list.append(line);
    }
    part("[data-to-search]", this.#form).hidden = found.length < MANY_PEOPLE;
    part("[data-to-none]", this.#form).hidden = found.length > 0;
  }

  #search() {
    const wanted = plain(input("#to-search", this.#form).value);
    for (const line of part("[data-to-list]", this.#form).children)
      /** @type {HTMLElement} */ (line).hidden = !plain(line.textContent ?? "").includes(wanted);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #value(name, value) {
    input(`#${name}`, this.#form).value = value;
  }
}

/**
 * Without case and marks: "nguyen" finds Nguyễn.
 * @param {string} text
 */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase();
}
