// @ts-check
/** The card of one item: what it is, who has it, what is known of it. */

import { one, part } from "./page.js";
import { spaced } from "./s10.js";
import { clock, date, money, say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */

/**
 * "Dossier to the Department of Justice": what this item is, in a line.
 * @param {Item} item
 */
export function what({ leg, leg_text, agency_text: agency, addressee_text: addressee, sender_text: sender }) {
  if (!leg) return say("unseen_what");
  if (leg === "dossier") return say("leg_dossier", { agency });
  if (leg === "result") return say("leg_result", { agency, addressee });
  return say("leg_other", { leg: leg_text, sender, addressee });
}

/**
 * @param {HTMLElement} card
 * @param {Item} item
 */
export function fill(card, item) {
  /** @param {string} name @param {string} text */
  const put = (name, text) => (part(`[data-item-${name}]`, card).textContent = text);
  /** @param {string} name @param {string} text an empty fact is not shown */
  const fact = (name, text) => {
    part(`[data-fact="${name}"]`, card).hidden = !text;
    put(name, text);
  };
  put("waybill", spaced(item.waybill));
  put("stage", item.stage_text);
  part("[data-item-stage]", card).dataset.stage = item.stage;
  put("leg", what(item));
  put("holder", item.holder_text);
  part("[data-item-mine]", card).hidden = !item.mine;
  put("since", item.since ? say("since", { when: clock(item.since) }) : "");
  part(".facts", card).hidden = !item.leg;
  fact("papers", papers(item));
  fact("seal", item.seal_no ?? "");
  fact("promised", item.promised_on ? date(item.promised_on) : "");
  fact("released", item.released_text ?? "");
  fact("bound", item.released_text ? "" : (item.bound_text ?? ""));
  fact("fee", item.fee ? money(item.fee) : "");
  fact("attempts", item.attempts ? String(item.attempts) : "");
  const wanted = part("[data-item-wanted]", card);
  wanted.hidden = !item.instructions?.length;
  part("div", wanted).replaceChildren(...(item.instructions ?? []).map(line));
  one("[data-item-link]", HTMLAnchorElement, card).href = item.link;
}

/** @param {string} text */
function line(text) {
  const said = document.createElement("p");
  said.textContent = text;
  return said;
}

/** @param {Item} item */
function papers({ originals, copies }) {
  if (originals === undefined && copies === undefined) return "";
  return say("papers", { originals: originals ?? 0, copies: copies ?? 0 });
}
