// @ts-check
/**
 * What is to be paid at the door: the code for the citizen's bank app, the word that it has arrived, or cash.
 *
 * Nothing here keeps a handover waiting: it is recorded paid or not.
 */

import { input, one, part } from "./page.js";
import { money } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */

const LOOK_EVERY_MS = 4_000;
/** Whoever stands at a door longer than this asks again by opening the fold anew. */
const LOOK_TIMES = 75;

/** What is on the card now: an answer about an older item is no longer of interest. */
let turn = 0;

/**
 * Show what an item costs where the citizen is at the door, and nothing anywhere else.
 * @param {HTMLElement} form
 * @param {Item} item
 * @param {boolean} atDoor
 */
export function showPay(form, item, atDoor) {
  const mine = ++turn;
  const box = part("[data-pay]", form);
  const pay = atDoor ? item.pay : undefined;
  box.hidden = !pay;
  if (!pay) return;
  const fold = one("[data-pay-fold]", HTMLDetailsElement, box);
  fold.open = false;
  settle(box, pay.paid);
  for (const amount of box.querySelectorAll("[data-pay-amount]")) amount.textContent = money(pay.amount);
  input("[data-pay-cash]", box).value = String(pay.amount);
  part("[data-pay-by]", box).hidden = !pay.qr;
  part("[data-pay-no-qr]", box).hidden = !!pay.qr;
  part("[data-pay-reference]", box).textContent = pay.reference ?? "";
  const code = box.querySelector("[data-pay-qr]");
  code?.setAttribute("viewBox", `0 0 ${pay.size ?? 1} ${pay.size ?? 1}`);
  code?.querySelector("path")?.setAttribute("d", pay.qr ?? "");
  fold.ontoggle = () => {
    if (fold.open && pay.qr) void watch(box, item.waybill, mine);
  };
}

/**
 * The cash that was ticked, in VND; nothing when none was, or when it is paid already.
 * @param {FormData} data
 */
export function cashIn(data) {
  return Number(data.get("cash") ?? 0) || undefined;
}

/**
 * @param {HTMLElement} box
 * @param {boolean} paid
 */
function settle(box, paid) {
  part("[data-pay-fold]", box).hidden = paid;
  part("[data-pay-paid]", box).hidden = !paid;
  // A disabled box gives nothing to the form's data: nobody pays twice.
  input("[data-pay-cash]", box).disabled = paid;
}

/**
 * Ask until the money has arrived, as long as the fold is open and in sight.
 * @param {HTMLElement} box
 * @param {string} waybill
 * @param {number} mine
 */
async function watch(box, waybill, mine) {
  const fold = one("[data-pay-fold]", HTMLDetailsElement, box);
  for (let times = 0; times < LOOK_TIMES; times++) {
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
    if (mine !== turn || !fold.open) return;
    if (document.hidden || input("[data-pay-cash]", box).checked) continue;
    if (await isPaid(waybill)) {
      if (mine === turn) settle(box, true);
      return;
    }
  }
}

/** @param {string} waybill */
async function isPaid(waybill) {
  try {
    const answer = await fetch(`/api/owed?code=${encodeURIComponent(waybill)}`);
    return answer.ok && (await answer.json()).paid === true;
  } catch {
    return false; // without signal nobody knows; cash is there all the same
  }
}
