// @ts-check
/**
 * My day with a script: what is said at a door is kept on the phone first and sent by the same queue as scans, so that
 * it holds without a network. The page itself is the server's; this marks on it what was said since.
 */

import { input, one, part } from "./page.js";
import { NoPicture, keepPhoto } from "./photo.js";
import { Locator } from "./position.js";
import { OWED, changes, keep, list, settled } from "./queue.js";
import { openSatchel, recall, refill, said } from "./satchel.js";
import { Full } from "./shelf.js";
import { give } from "./signals.js";
import { SignaturePad } from "./signature.js";
import { syncing } from "./syncing.js";
import { say } from "./words.js";
import { forgetYesterday, note, today } from "./yesterday.js";

/** @typedef {import("./queue.js").Entry} Entry */
/** @typedef {Record<string, unknown>} Payload */

/** Longer than this nobody stands at a door for an answer. */
const ANSWER_WITHIN_MS = 2500;
const FIND_WITHIN_MS = 8000;
/** What ends the work at a door, as far as the phone can know. */
const ENDING = ["delivered", "attempted", "pickup_failed", "accepted"];
const ITEM = "item.";

const page = part("[data-day]");
const locator = new Locator();
/** Pads that were opened, by their form. @type {Map<HTMLFormElement, SignaturePad>} */
const pads = new Map();

/** Something is missing in a form; said beside it. */
class Missing extends Error {}

// What is said at a door

/** @param {HTMLFormElement} form */
async function tell(form) {
  const problem = part("[data-problem]", form);
  problem.hidden = true;
  const act = one("button:not([type=button])", HTMLButtonElement, form);
  if (act.getAttribute("aria-disabled") === "true") return;
  act.setAttribute("aria-disabled", "true");
  try {
    const entries = [];
    for (const payload of payloads(form)) entries.push(await keep("scan", payload));
    give("good");
    for (const entry of entries) {
      mark(entry);
      void remembered(entry);
    }
    moveOn(form);
    void syncing.sync();
    for (const entry of entries) void follow(entry, form);
  } catch (fault) {
    if (!(fault instanceof Missing) && !(fault instanceof Full)) throw fault;
    problem.textContent = fault instanceof Full ? say("full") : fault.message;
    problem.hidden = false;
    give("wrong");
  } finally {
    act.removeAttribute("aria-disabled");
  }
}

/**
 * One scan for each item of the form.
 * @param {HTMLFormElement} form
 * @returns {Payload[]}
 */
function payloads(form) {
  const data = new FormData(form);
  const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
  /** @type {Payload} */
  const shared = { step: text("step") };
  if (text("step") === "delivered") shared["proof"] = proof(form, text);
  if (data.has("again_on")) {
    if (!text("reason")) throw new Missing(say("need_reason"));
    if (text("reason") === "other" && !text("note")) throw new Missing(say("need_note"));
    Object.assign(shared, { reason: text("reason"), ...(text("note") && { note: text("note") }), ...(text("again_on") && { again_on: text("again_on") }) });
  }
  if (text("to")) shared["to"] = text("to");
  if (data.has("cash")) shared["cash"] = Number(text("cash"));
  const position = locator.now();
  if (position) shared["position"] = position;
  const waybills = [...data.keys()].filter((name) => name.startsWith(ITEM)).map((name) => name.slice(ITEM.length));
  return waybills.map((code) => ({ code, ...shared }));
}

/**
 * @param {HTMLFormElement} form
 * @param {(name: string) => string} text
 */
function proof(form, text) {
  if (text("by") !== "signature") {
    const code = text("code").replace(/\s/g, "");
    if (!/^\d{6}$/.test(code)) throw new Missing(say("need_code"));
    return { kind: "code", code };
  }
  const signature = pads.get(form)?.path() ?? "";
  if (!signature) throw new Missing(say("need_signature"));
  const last4 = text("id_last4").toUpperCase();
  if (last4.length !== 4) throw new Missing(say("need_id_last4"));
  return { kind: "signature", signature, receiver: text("receiver") || "addressee", id_kind: text("id_kind"), id_last4: last4 };
}

/**
 * Tell the phone's memory of items, too, so that the scan page knows what was said here.
 * @param {Entry} entry
 */
async function remembered({ waybill, step }) {
  const known = await recall(waybill);
  if (known) await said(known.item, step);
}

/**
 * @param {Entry} entry
 * @param {HTMLFormElement} form
 */
async function follow(entry, form) {
  const told = await settled(entry.id, ANSWER_WITHIN_MS);
  if (!told) return;
  mark(told);
  if (told.state === "refused") {
    const problem = part("[data-problem]", form);
    problem.textContent = told.said || say("refused");
    problem.hidden = false;
    const code = form.querySelector("[name=code]");
    if (code instanceof HTMLInputElement) code.value = "";
    // The money was taken, whatever became of the rest: it is written once.
    const cash = form.querySelector("[name=cash]:checked");
    if (cash instanceof HTMLInputElement) cash.disabled = true;
    give("wrong");
  } else if (told.state === "remark") give("remark");
}

// What the page shows of it

/** @param {Entry} entry */
function mark({ waybill, step, state, said: sentence }) {
  const task = page.querySelector(`[data-task="${waybill}"]`);
  if (!(task instanceof HTMLElement)) return;
  const refused = state === "refused";
  const words = [say(`step_${step}`), say(OWED.includes(state) ? "saved" : state), sentence].filter(Boolean).join(" · ");
  let line = task.querySelector(".said");
  if (!line) {
    line = document.createElement("p");
    line.className = "said";
    line.setAttribute("role", "status");
    task.querySelector("p")?.after(line);
  }
  line.textContent = words;
  /** @type {HTMLElement} */ (line).dataset["tone"] = refused ? "wrong" : state === "remark" ? "remark" : "good";
  if (ENDING.includes(step) && !refused) task.dataset["told"] = state;
  else delete task.dataset["told"];
  if (step === "out" && !refused) for (const next of task.querySelectorAll("[data-next]")) /** @type {HTMLElement} */ (next).hidden = false;
  if (step === "out") for (const before of task.querySelectorAll('form[data-outcome="out"]')) /** @type {HTMLElement} */ (before).hidden = !refused;
  if (step === "released" && !refused) for (const before of task.closest("[data-stop]")?.querySelectorAll('form[data-outcome="released"]') ?? []) /** @type {HTMLElement} */ (before).hidden = true;
  const stop = task.closest("[data-stop]");
  if (stop instanceof HTMLElement) finish(stop, words);
}

/**
 * A door where all is said folds up.
 * @param {HTMLElement} stop
 * @param {string} words
 */
function finish(stop, words) {
  const open = stop.querySelectorAll("[data-task]:not([data-told])").length;
  const told = !open;
  part("[data-state]", stop).textContent = told ? words : "";
  if (told) stop.dataset["told"] = "yes";
  else delete stop.dataset["told"];
  const left = page.querySelectorAll("[data-stop]:not([data-told])").length;
  part('[data-count="stops"]', page).textContent = String(left);
}

/**
 * To the next door, where the thumb is.
 * @param {HTMLFormElement} form
 */
function moveOn(form) {
  const stop = form.closest("[data-stop]");
  if (!stop?.hasAttribute("data-told")) return;
  const next = [...page.querySelectorAll("[data-stop]:not([data-told])")].find((each) => stop.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING);
  const target = next ?? page.querySelector("[data-stop]:not([data-told])") ?? part("h1", page);
  if (!(target instanceof HTMLElement)) return;
  if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

/** What was said on this phone since the page was made, or is not sent yet. */
async function catchUp() {
  const made = Date.parse(page.dataset["made"] ?? "") || 0;
  const entries = (await list().catch(() => [])).filter(({ kind }) => kind === "scan");
  for (const entry of entries) if (OWED.includes(entry.state) || Date.parse(entry.at) >= made) mark(entry);
  const waiting = entries.filter(({ state }) => OWED.includes(state)).length;
  const line = part("[data-waiting]", page);
  line.hidden = waiting === 0;
  part("span", line).textContent = say(`way_${syncing.way}`, { count: waiting });
}

// Signing

/** @param {HTMLFormElement} form */
function choose(form) {
  const signing = new FormData(form).get("by") === "signature";
  const place = part("[data-signing]", form);
  part("[data-code]", form).hidden = signing;
  place.hidden = !signing;
  if (!signing || pads.has(form)) return;
  const filled = one("#signing", HTMLTemplateElement).content.cloneNode(true);
  place.append(filled);
  const state = part("[data-pad-state]", place);
  const pad = new SignaturePad(one("[data-pad]", HTMLCanvasElement, place), () => (state.textContent = say(pad.isEmpty ? "unsigned" : "signed")));
  pads.set(form, pad);
  one("[data-pad-clear]", HTMLButtonElement, place).addEventListener("click", () => pad.clear());
  one("[data-by-code]", HTMLButtonElement, place).addEventListener("click", () => {
    input("[name=by][value=code]", form).checked = true;
    choose(form);
    input("[name=code]", form).focus();
  });
  if (form.hasAttribute("data-in-person")) for (const other of place.querySelectorAll("[data-authorised]")) other.remove();
}

// Photos

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} place
 */
async function photograph(field, place) {
  const [file] = field.files ?? [];
  const says = part("[data-photo-says]", place);
  if (!file) return;
  says.textContent = say("photo_busy");
  try {
    const entry = await keepPhoto(file, place.dataset["photoOf"] ?? "");
    says.textContent = say("photo_saved");
    void syncing.sync();
    const told = await settled(entry.id, 4 * ANSWER_WITHIN_MS);
    if (told) says.textContent = told.state === "refused" ? told.said || say("refused") : say("photo_sent");
  } catch (fault) {
    if (!(fault instanceof NoPicture) && !(fault instanceof Full)) throw fault;
    says.textContent = say(fault instanceof Full ? "full" : "photo_none");
    give("wrong");
  } finally {
    field.value = "";
  }
}

// The way from here

/** @param {HTMLFormElement} form */
function fromHere(form) {
  const says = part("[data-from-problem]", form);
  if (!navigator.onLine) {
    says.textContent = say("from_offline");
    return;
  }
  says.textContent = say("from_finding");
  const go = () => form.requestSubmit(one("button", HTMLButtonElement, form));
  const found = (/** @type {GeolocationPosition} */ { coords }) => {
    input("[name=lat]", form).value = String(coords.latitude);
    input("[name=lon]", form).value = String(coords.longitude);
    go();
  };
  form.dataset["asked"] = "yes";
  if (!navigator.geolocation) go();
  else navigator.geolocation.getCurrentPosition(found, go, { maximumAge: 60_000, timeout: FIND_WITHIN_MS });
}

// Another day's page

/** A page that the phone kept overnight shows nobody any more. */
async function turnOver() {
  const day = page.dataset["day"] ?? "";
  note(day);
  if (day === today()) return;
  await forgetYesterday();
  if (navigator.onLine) return location.reload();
  for (const stop of page.querySelectorAll("[data-personal]")) stop.remove();
  part("[data-over]", page).hidden = false;
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void turnOver();
});

for (const form of page.querySelectorAll("form[data-outcome]")) {
  if (!(form instanceof HTMLFormElement)) continue;
  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void tell(form);
  });
  const ways = form.querySelector("[data-by]");
  if (!(ways instanceof HTMLElement)) continue;
  ways.hidden = false;
  ways.addEventListener("change", () => choose(form));
}
for (const place of page.querySelectorAll("[data-photo-of]")) {
  if (!(place instanceof HTMLElement)) continue;
  place.hidden = false;
  part("[data-photos]", /** @type {HTMLElement} */ (place.closest("details"))).hidden = false;
  const field = input("[data-photo]", place);
  field.addEventListener("change", () => void photograph(field, place));
}
const from = page.querySelector("form[data-from]");
if (from instanceof HTMLFormElement)
  from.addEventListener("submit", (event) => {
    if (from.dataset["asked"]) return;
    event.preventDefault();
    fromHere(from);
  });
changes.addEventListener("change", () => void catchUp());
syncing.addEventListener("change", () => void catchUp());
await turnOver();
await openSatchel();
await catchUp();
void locator.resume();
void syncing.sync();
if (navigator.onLine) void refill().catch(() => undefined);
