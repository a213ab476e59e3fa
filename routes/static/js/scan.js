// @ts-check
/**
 * The scan page: a code comes in from the camera, a keyboard scanner or the typed field; the item is shown with the
 * one thing to do; what was done is sent, and the page is ready for the next. The camera never closes for any of it.
 */

import { Act } from "./act.js";
import { fill, what } from "./card.js";
import { Counting } from "./counting.js";
import { locator, openFinder } from "./finder.js";
import { listen } from "./keyboard-scanner.js";
import { Log, act as words } from "./log.js";
import { logInAgain } from "./login-again.js";
import { Modes } from "./modes.js";
import { button, copy, input, one, part } from "./page.js";
import { Pile } from "./pile.js";
import { keep, settled } from "./queue.js";
import { isLabel, judge, spaced, waybillIn } from "./s10.js";
import { openSatchel, recall, refill, remember, said, unseen } from "./satchel.js";
import { LoggedOut, Refusal, Unanswered, lookUp, promised } from "./sending.js";
import { Full } from "./shelf.js";
import { give } from "./signals.js";
import { syncing } from "./syncing.js";
import { tell } from "./telling.js";
import { clearTyped, openTyping } from "./typing.js";
import { clock, say } from "./words.js";

/** @typedef {import("./sending.js").Item} Item */
/** @typedef {import("./sending.js").Claim} Claim */
/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {import("./satchel.js").Remembered} Remembered */
/** @typedef {{code: string, item: Item}} Shown */
/** @typedef {"camera" | "scanner" | "typed" | "again"} Source */

/** Longer than this nobody stands with a label in his hand: it is on the phone, and the next one comes. */
const ANSWER_WITHIN_MS = 2500;
/** For an item that this phone knows nothing of, a slow answer is worth more. */
const LONGER_MS = 5000;
const UNBOUND = "UnboundLabel";
const LOCKED_OR_WRONG_CODE = ["BadCode", "CodeLocked"];

const card = part("[data-item]");
const act = new Act(one("[data-act]", HTMLFormElement), () => void perform());
const log = new Log((waybill) => void take(waybill, "again"));
/** Scans whose answer someone looks at the card for. @type {Set<string>} */
const awaited = new Set();

const pile = new Pile((code) => {
  modes.turn("single");
  void take(code, "again");
});
const counting = new Counting();
const modes = new Modes((mode) => {
  close();
  pile.show(mode === "pile");
  counting.show(mode === "count");
  if (mode === "single") tell("ready", say("ready"), say("ready_text"), { silent: true });
});

/** The item on the card, and the code that brought it. @type {Shown | null} */
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
  if (modes.now !== "single") {
    clearTyped();
    return (modes.now === "pile" ? pile : counting).comes(code, source);
  }
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
  const item = await (navigator.onLine ? asked(code) : new Unanswered());
  if (mine !== turn) return;
  if (item instanceof Error) return await unfound(code, source, item);
  void remember(item);
  show(code, item, source);
}

/**
 * What the server says of a code; a network that takes its time counts as none once the phone knows better, or later.
 * @param {string} code
 * @returns {Promise<Item | Error>}
 */
async function asked(code) {
  const told = lookUp(code).catch((fault) => fault);
  if (!isLabel(code)) return told;
  const soon = await Promise.race([told, later(ANSWER_WITHIN_MS)]);
  if (soon || (await recall(waybillIn(code)))) return soon ?? new Unanswered();
  const late = unseen().length ? later(LONGER_MS) : new Promise(() => undefined);
  return (await Promise.race([told, late])) ?? new Unanswered();
}

/** @param {number} ms @returns {Promise<null>} */
const later = (ms) => new Promise((resolve) => setTimeout(() => resolve(null), ms));

/**
 * @param {string} code
 * @param {Item} item
 * @param {Source} source
 * @param {Remembered} [known] from this phone's memory: the server was not asked
 */
function show(code, item, source, known) {
  shown = { code, item };
  remembered(known);
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
  const text = source === "typed" ? say("compare", { what: what(item) }) : what(item);
  if (item.proposals.length) tell("read", spaced(item.waybill), text);
  else tell("remark", spaced(item.waybill), say("nothing_to_do"));
  if (item.proposals.length) act.focus();
}

/** @param {Remembered} [known] */
function remembered(known) {
  const note = part("[data-item-memory]");
  note.hidden = !known;
  if (!known) return;
  const told = known.said ? say("memory_said", { act: words({ step: known.said }) }) : "";
  part("span", note).textContent = [known.at ? say("memory", { at: clock(known.at) }) : say("memory_none"), told].join(" ");
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
  // Of an item that nobody could look up, none is likelier than the others.
  details.open = !item.leg;
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
    const mine = turn;
    const known = isLabel(code) ? ((await recall(waybillIn(code))) ?? stranger(waybillIn(code))) : null;
    if (mine !== turn) return;
    if (known) return show(code, known.item, source, known);
    tell("wrong", say("unlooked"), say("unlooked_text", { code: spaced(waybillIn(code)) }));
    return retry(code, source);
  }
  if (!(fault instanceof Refusal)) throw fault;
  if (fault.name === UNBOUND) return bind(code);
  close();
  tell("wrong", say("wrong_code"), fault.message);
}

/**
 * An item that this phone knows nothing of: what is on the label, and the steps there are.
 * @param {string} waybill
 * @returns {Remembered | null}
 */
function stranger(waybill) {
  if (!unseen().length) return null;
  const facts = { leg: "", leg_text: "", stage: "unseen", stage_text: say("unseen"), holder: "", holder_text: "", since: "", mine: false };
  const names = { addressee_text: "", sender_text: "", agency_text: "" };
  return { item: { waybill, ...facts, ...names, attempts: 0, fee: 0, proposals: unseen(), link: `/items/${waybill}` }, at: "", said: null };
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
  act.busy = true;
  const claim = { code: blank ?? code, step: act.proposal.step, ...details, ...(blank && { bind_to: item.waybill }), ...(position && { position }) };
  try {
    // On the disk first: only then does the phone say that it has it.
    const entry = await keep("scan", claim);
    act.touched = false;
    if (!blank) void said(item, claim.step);
    await deliver(entry, done, claim);
  } catch (fault) {
    if (!(fault instanceof Full)) throw fault;
    act.problem(say("full_text"));
    tell("wrong", say("full"), say("full_text"));
  } finally {
    // By now the next label may be on the card, and on its way too.
    if (shown === done) act.busy = false;
  }
}

/**
 * Give the server a moment to answer; what it says later is told in the list.
 * @param {Entry} entry
 * @param {Shown} done
 * @param {Claim} claim
 * @returns {Promise<void>}
 */
async function deliver(entry, done, claim) {
  const name = spaced(entry.waybill);
  tell("busy", name, say("sending"), { silent: true });
  awaited.add(entry.id);
  const answer = await soon(entry.id);
  awaited.delete(entry.id);
  if (answer) return answered(answer, done);
  if (syncing.way === "login") {
    tell("wrong", say("kept"), say("kept_text"));
    if (await logInAgain()) {
      await refill().catch(() => undefined);
      void syncing.sync({ now: true });
      return deliver(entry, done, claim);
    }
    return leave(done);
  }
  const judged = claim.step === "delivered" && claim.proof?.["kind"] === "code";
  tell("kept", say("saved"), `${name} · ${say(judged ? "saved_code" : `saved_${navigator.onLine ? syncing.way : "offline"}`)}`);
  leave(done);
}

/**
 * The answer, unless the network is away or takes its time.
 * @param {string} id
 */
async function soon(id) {
  // What is known to be away is away; else the attempt that has just begun will tell.
  if (!navigator.onLine || !syncing.busy) return settled(id, 0);
  const done = new AbortController();
  const gone = new Promise((resolve) => {
    const see = () => syncing.way !== "idle" && syncing.way !== "sending" && resolve(null);
    syncing.addEventListener("change", see, { signal: done.signal });
  });
  const answer = /** @type {Entry | null} */ (await Promise.race([settled(id, ANSWER_WITHIN_MS), gone]));
  done.abort();
  return answer;
}

/**
 * @param {Entry} entry
 * @param {Shown} done
 */
function answered(entry, done) {
  if (entry.state === "refused") return refused(entry, done);
  const name = spaced(entry.waybill);
  if (entry.state === "remark") tell("remark", say("remarked"), `${name} · ${entry.said}`);
  else tell("good", say("recorded", { act: words(entry) }), name);
  leave(done);
}

/**
 * Nothing was written. What was entered stays on the card, to be mended and said again as a new scan.
 * @param {Entry} entry
 * @param {Shown} done
 */
function refused(entry, done) {
  const sentence = entry.said || say("refused");
  tell("wrong", say("refused"), sentence);
  if (shown !== done) return;
  act.problem(sentence);
  if (LOCKED_OR_WRONG_CODE.includes(entry.error)) act.forgetCode();
}

/**
 * What came later than one could wait for: heard and felt, and read in the list.
 * @param {Entry} entry
 */
function late(entry) {
  if (awaited.has(entry.id) || entry.state === "sent") return;
  if (shown) return give(entry.state === "remark" ? "remark" : "wrong");
  if (entry.state === "remark") tell("remark", say("remarked"), `${spaced(entry.waybill)} · ${entry.said}`);
  else tell("wrong", say("refused"), `${spaced(entry.waybill)} · ${entry.said}`);
}

/**
 * Make room for the next label, unless it is here already.
 * @param {Shown} done
 */
function leave(done) {
  if (shown !== done) return;
  const next = waiting;
  close();
  unbind();
  if (next) void take(next, "camera");
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

/** Fill the pocket while there is a network. */
async function restock() {
  if (navigator.onLine) await refill().catch(() => undefined);
}

/** A code that came with the address: from another page, or typed before this script was there. */
function comesAlong() {
  const code = new URLSearchParams(location.search).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  modes.turn("single");
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
  // What was scanned is on the disk; what is being entered is not.
  if (act.touched) event.preventDefault();
});
log.addEventListener("login", () => void logInAgain().then((done) => (done ? restock() : undefined)));
log.addEventListener("settled", (event) => late(/** @type {CustomEvent<Entry>} */ (event).detail));
listen((code) => comes(code, "scanner"), isForUs);
openTyping((code) => comes(code, "typed"));
openFinder((codes) => {
  // A pile takes all labels of a picture; one by one it is the one in the middle.
  for (const code of modes.now === "single" ? codes.slice(0, 1) : codes) comes(code, "camera");
});
modes.open();
void openSatchel().then(comesAlong).then(() => pile.refresh());
void restock();
addEventListener("online", () => void restock());
