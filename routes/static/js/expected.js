// @ts-check
/** The lists a pile can be held against, as this phone knows them: what is promised to me, my run, what I hold, a bag. */

import { pocket } from "./satchel.js";
import { say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {{name: string, text: string, items: Map<string, Item>}} List */

const OUT = "out_for_delivery";
const BOOKED = "booked";

/**
 * All lists there are now, the likeliest first; always one that expects nothing.
 * @returns {Promise<List[]>}
 */
export async function expectations() {
  const known = await pocket();
  const items = known.filter(({ listed }) => listed === "held").map(({ item }) => item);
  // What still lies at a citizen's home is in no pile.
  const waiting = known.filter(({ listed, item }) => listed === "promised" && item.stage !== BOOKED).map(({ item }) => item);
  const all = [...waiting, ...items];
  const bags = [...new Set(all.map(({ bag }) => bag ?? ""))].filter(Boolean).sort();
  const lists = [
    list("promised", say("list_promised"), waiting),
    list("run", say("list_run"), items.filter(({ stage, mine }) => mine && stage === OUT)),
    list("held", say("list_held"), items),
    ...bags.map((bag) => list(`bag:${bag}`, say("list_bag", { bag }), all.filter((item) => item.bag === bag))),
  ];
  return [...lists.filter((each) => each.items.size), list("none", say("list_none"), [])];
}

/**
 * @param {string} name
 * @param {string} text
 * @param {Item[]} items
 * @returns {List}
 */
function list(name, text, items) {
  return { name, text, items: new Map(items.map((item) => [item.waybill, item])) };
}
