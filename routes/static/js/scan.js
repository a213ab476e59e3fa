// @ts-check
/**
 * The scan page: a code comes in from the camera, a keyboard scanner or the typed field; the item is shown with the
 * one thing to do; what was done is sent, and the page is ready for the next. The camera never closes for any of it.
 */

import { Act } from "./act.js";
import { fill, what } from "./card.js";
import { locator, openFinder } from "./finder.js";
import { listen } from "./keyboard-scanner.js";
import { Log } from "./log.js";
import { logInAgain } from "./login-again.js";
import { button, copy, input, one, part } from "./page.js";
import { isLabel, judge, spaced, waybillIn } from "./s10.js";
import { LoggedOut, Refusal, Unanswered, lookUp, makeScan, promised, send } from "./sending.js";
import { give } from "./signals.js";
import { tell } from "./telling.js";
import { clearTyped, openTyping } from "./typing.js";
import { say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Outcome} Outcome */
/** @typedef {import("./log.js").Entry} Entry */
/** @typedef {"camera" | "scanner" | "typed" | "again"} Source */

const UNBOUND = "UnboundLabel";
const LOCKED_OR_WRONG_CODE = ["BadCode", "CodeLocked"];

const card = part("[data-item]");
const act = new Act(one("[data-act]", HTMLFormElement), () => void perform());
const log = new Log((entry) => void deliver(entry), (waybill) => void take(waybill, "again"));

/** The item on the card, and the code that brought it. @type {{code: string, item: Item} | null} */
let shown = null;
/** A label without an item, waiting to be put on one. @type {string | null} */
let blank = null;
/** A label seen while something else was being entered. @type {string | null} */
let waiting = null;
/** Counts the codes that came in: an answer to an older one is no longer of interest. */
let turn = 0;

// What came in

/**
 * @param {string} code
 * @param {Source} source
 */
function comes(code, source) {
  // A bag has a page of its own, where it is taken over as a whole.
  const [bag] = /\/B\/DT[0-9]{9}VN\/[A-Z2-7]{8}/i.exec(code) ?? [];
  if (bag) return location.assign(bag.toUpperCase());
  const same = shown && waybillIn(code) === waybillIn(shown.code);
  if (same && source === "camera") return;
  if (act.touched && shown && !same) return wait(code);
  void take(code, source);
}

/**
 * Look a code up and show what it stands for.
 * @param {string} code
 * @param {Source} source
 * @returns {Promise<void>}
 */
async function take(code, source) {
  const mine = ++turn;
  unwait();
  part("[data-retry]").hidden = true;
  tell("busy", spaced(waybillIn(code)), say("looking"), { silent: true });
  const item = await lookUp(code).catch((fault) => fault);
  if (mine !== turn) return;
  if (item instanceof Error) return await unfound(code, source, item);
  show(code, item, source);
}

/**
 * @param {string} code
 * @param {Item} item
 * @param {Source} source
 */
function show(code, item, source) {
  shown = { code, item };
  act.busy = false;
  fill(card, item);
  card.hidden = false;
  document.body.dataset.busy = "item";
  const label = part("[data-item-label]");
  label.hidden = !blank;
  part("span", label).textContent = blank ? say("will_bind", { code: spaced(waybillIn(blank)) }) : "";
  offer(item);
  clearTyped();
  scrollTo({ top: 0 });
  // Some slips of the finger keep the check digit: only the person can see that it is another item.
  const words = source === "typed" ? say("compare", { what: what(item) }) : what(item);
  if (item.proposals.length) tell("read", spaced(item.waybill), words);
  else tell("remark", spaced(item.waybill), say("nothing_to_do"));
  if (item.proposals.length) act.focus();
}

/** @param {Item} item */
function offer(item) {
  const [first, ...others] = item.proposals;
  part("[data-act]").hidden = !first;
  if (first) act.show(shown?.code ?? item.waybill, item, first);
  const list = part("[data-others-list]");
  list.replaceChildren(
    ...others.map((other) => {
      const choice = copy("other");
      choice.textContent = other.text;
      choice.addEventListener("click", () => {
        offer({ ...item, proposals: [other, ...item.proposals.filter((each) => each !== other)] });
        tell("read", spaced(item.waybill), other.text, { silent: true });
        act.focus();
      });
      return choice;
    }),
  );
  const details = one("[data-others]", HTMLDetailsElement);
  details.open = false;
  details.hidden = others.length === 0;
}

/**
 * @param {string} code
 * @param {Source} source
 * @param {Error} fault
 * @returns {Promise<void>}
 */
async function unfound(code, source, fault) {
  if (fault instanceof LoggedOut) {
    tell("wrong", say("kept"), say("unlooked_text", { code: spaced(waybillIn(code)) }));
    if (await logInAgain()) return take(code, source);
    return retry(code, source);
  }
  if (fault instanceof Unanswered) {
    tell("wrong", say("unlooked"), say("unlooked_text", { code: spaced(waybillIn(code)) }));
    return retry(code, source);
  }
  if (!(fault instanceof Refusal)) throw fault;
  if (fault.name === UNBOUND) return bind(code);
  close();
  tell("wrong", say("wrong_code"), fault.message);
}

/**
 * The code stays here until the server can be asked.
 * @param {string} code
 * @param {Source} source
 */
function retry(code, source) {
  part("[data-retry]").hidden = false;
  part("[data-retry-says]").textContent = say("unlooked_text", { code: spaced(waybillIn(code)) });
  button("[data-retry-now]").onclick = () => void take(code, source);
}

/** @param {string} code */
function wait(code) {
  if (waiting === code) return;
  waiting = code;
  part("[data-waiting]").hidden = false;
  part("[data-waiting-code]").textContent = spaced(waybillIn(code));
  give("remark");
}

function unwait() {
  waiting = null;
  part("[data-waiting]").hidden = true;
}

// A label printed ahead

/** @param {string} code */
async function bind(code) {
  close();
  blank = code;
  clearTyped();
  const name = spaced(waybillIn(code));
  tell("remark", say("blank", { code: name }), say("blank_text"));
  part("[data-typed-label]").textContent = say("booking_label");
  button("[data-unbind]").hidden = false;
  const bookings = (await promised().catch(() => [])).filter((item) => item.stage === "booked");
  if (blank !== code) return;
  part("[data-bookings]").hidden = bookings.length === 0;
  part("[data-bookings-list]").replaceChildren(
    ...bookings.map((item) => {
      const choice = copy("other");
      choice.textContent = `${spaced(item.waybill)} · ${item.sender_text}`;
      choice.addEventListener("click", () => void take(item.waybill, "again"));
      return choice;
    }),
  );
}

function unbind() {
  blank = null;
  part("[data-typed-label]").textContent = say("typed_label");
  part("[data-bookings]").hidden = true;
  button("[data-unbind]").hidden = true;
}

// What is done

async function perform() {
  if (!shown || !act.proposal || act.busy) return;
  const details = act.details();
  if (!details) return give("wrong");
  const done = shown;
  const { code, item } = done;
  const position = locator.now();
  const scan = makeScan({
    code: blank ?? code,
    step: act.proposal.step,
    ...details,
    ...(blank && { bind_to: item.waybill }),
    ...(position && { position }),
  });
  const entry = log.add(scan, blank ? waybillIn(blank) : item.waybill, act.proposal.text);
  act.touched = false;
  act.busy = true;
  await deliver(entry);
  // By now the next label may be on the card, and on its way too.
  if (shown === done) act.busy = false;
}

/**
 * Tell the server a scan, as often as it takes: its id makes it one.
 * @param {Entry} entry
 */
async function deliver(entry) {
  log.tell(entry, "sending", say("sending"));
  const name = spaced(entry.waybill);
  tell("busy", name, say("sending"), { silent: true });
  const outcome = await send(entry.scan).catch((fault) => fault);
  if (!(outcome instanceof Error)) return answered(entry, outcome);
  if (outcome instanceof Refusal) return refused(entry, outcome.name, outcome.message);
  if (outcome instanceof LoggedOut) {
    log.tell(entry, "unsent", `${entry.act} · ${say("kept")}`);
    tell("wrong", say("kept"), say("kept_text"));
    if (await logInAgain()) return await deliverAll(entry);
    return leave(entry);
  }
  if (!(outcome instanceof Unanswered)) throw outcome;
  log.tell(entry, "unsent", `${entry.act} · ${say("unsent")}`);
  tell("wrong", say("unsent"), say("unsent_text"));
  leave(entry);
}

/**
 * After a log-in: what waited goes first, the one that asked for it is told last.
 * @param {Entry} entry
 */
async function deliverAll(entry) {
  for (const other of log.unsent.reverse()) if (other !== entry) await deliver(other);
  await deliver(entry);
}

/**
 * @param {Entry} entry
 * @param {Outcome} outcome
 */
function answered(entry, outcome) {
  if (outcome.result === "refused") return refused(entry, outcome.error ?? "", outcome.detail ?? "");
  const remarks = (outcome.remarks ?? []).map((remark) => remark.sentence).join(" ");
  const name = spaced(entry.waybill);
  if (remarks) {
    log.tell(entry, "remark", `${entry.act} · ${remarks}`);
    tell("remark", say("remarked"), `${name} · ${remarks}`);
  } else {
    const words = outcome.result === "repeated" ? say("repeated") : say("recorded", { act: entry.act });
    log.tell(entry, "good", words);
    tell("good", words, name);
  }
  leave(entry);
}

/**
 * Nothing was written. What was entered stays on the card, to be mended and said again as a new scan.
 * @param {Entry} entry
 * @param {string} error
 * @param {string} sentence
 */
function refused(entry, error, sentence) {
  log.tell(entry, "wrong", `${entry.act} · ${sentence || say("refused")}`);
  tell("wrong", say("refused"), sentence);
  if (!isShown(entry)) return;
  act.problem(sentence || say("refused"));
  if (LOCKED_OR_WRONG_CODE.includes(error)) act.forgetCode();
}

/**
 * Make room for the next label, unless it is here already.
 * @param {Entry} entry
 */
function leave(entry) {
  if (!isShown(entry)) return;
  const next = waiting;
  close();
  unbind();
  if (next) void take(next, "camera");
}

/** @param {Entry} entry */
function isShown(entry) {
  return shown !== null && (entry.scan.bind_to ?? entry.waybill) === shown.item.waybill;
}

function close() {
  shown = null;
  act.touched = false;
  unwait();
  const focused = card.contains(document.activeElement);
  card.hidden = true;
  delete document.body.dataset.busy;
  // The button that was pressed is gone; a desk goes on typing, a phone must not raise its keyboard.
  if (focused) (matchMedia("(pointer: fine)").matches ? input("#waybill") : part("[data-verdict]")).focus({ preventScroll: true });
}

// How codes come in

/**
 * A seal's own bar code belongs in the field for it; behind a dialog nothing is scanned.
 * @param {string} code
 * @param {HTMLElement | null} field
 */
function isForUs(code, field) {
  if (document.querySelector("dialog[open]")) return false;
  return !field?.hasAttribute("data-takes-codes") || isLabel(code);
}

/** A code that came with the address: from another page, or typed before this script was there. */
function comesAlong() {
  const code = new URLSearchParams(location.search).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  const verdict = judge(code);
  void take("waybill" in verdict ? verdict.waybill : code, "again");
}

button("[data-item-close]").addEventListener("click", () => {
  const next = waiting;
  close();
  tell("ready", say("ready"), say("ready_text"), { silent: true });
  if (next) void take(next, "camera");
});
button("[data-unbind]").addEventListener("click", () => {
  unbind();
  tell("ready", say("ready"), say("ready_text"), { silent: true });
});
button("[data-waiting-take]").addEventListener("click", () => {
  if (waiting) void take(waiting, "camera");
});
addEventListener("beforeunload", (event) => {
  if (log.isOwing || act.touched) event.preventDefault();
});
listen((code) => comes(code, "scanner"), isForUs);
openTyping((code) => comes(code, "typed"));
openFinder(([code = ""]) => comes(code, "camera"));
comesAlong();
