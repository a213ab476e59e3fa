// @ts-check
/**
 * The one way in and out of the scan page: what it asks the server, and how a scan is told to it.
 *
 * A scan is made once, with its id, its time and its place in the order of this device, and may be sent as often as
 * needed: the server writes it once. Knows nothing of what is on the page.
 */

import { device, uuid7 } from "./device.js";

/** @typedef {"counts" | "seal" | "proof" | "reason" | "to" | "code_and_due"} Need */
/** @typedef {{step: string, text: string, needs: Need[]}} Proposal */
/**
 * @typedef {object} Item
 * @property {string} waybill
 * @property {string} leg
 * @property {string} leg_text
 * @property {string} stage
 * @property {string} stage_text
 * @property {string} holder_text
 * @property {string} since
 * @property {boolean} mine
 * @property {string} addressee_text
 * @property {string} sender_text
 * @property {string} [bound_text]
 * @property {string} [released_text]
 * @property {number} [originals]
 * @property {number} [copies]
 * @property {string} [seal_no]
 * @property {number} attempts
 * @property {number} fee
 * @property {string} [promised_on]
 * @property {string} agency_text
 * @property {string[]} [instructions] what the citizen wants of what is to come
 * @property {Proposal[]} proposals
 * @property {string} link
 */
/** @typedef {{party: string, text: string}} Receiver */
/** @typedef {{kind: string, sentence: string}} Remark */
/** @typedef {{id: string, result: "recorded" | "repeated" | "refused", error?: string, detail?: string, remarks?: Remark[], item?: Item}} Outcome */
/**
 * @typedef {object} Claim What the person says happened.
 * @property {string} code
 * @property {string} step
 * @property {string} [to]
 * @property {number} [originals]
 * @property {number} [copies]
 * @property {string} [seal_no]
 * @property {boolean} [seal_broken]
 * @property {boolean} [damaged]
 * @property {string} [reason]
 * @property {string} [note]
 * @property {string} [bind_to]
 * @property {Record<string, string>} [proof]
 * @property {string} [dossier_code]
 * @property {string} [due_on]
 * @property {{lat: number, lon: number, accuracy_m: number}} [position]
 */
/** @typedef {Claim & {id: string, at: string, seq: number}} Scan */

const PATIENCE_MS = 20_000;
/** Come back later: too slow, too early, too often. */
const LATER = [408, 425, 429];

/** The server said no, in a sentence for the reader. */
export class Refusal extends Error {
  /**
   * @param {string} name
   * @param {string} sentence
   */
  constructor(name, sentence) {
    super(sentence);
    this.name = name;
  }
}

/** Nobody is logged in any more. */
export class LoggedOut extends Error {}

/** No answer, or half an answer: it may be written or not. Sending again under the same id settles it. */
export class Unanswered extends Error {}

/**
 * Give a claim its identity. From here on it does not change.
 * @param {Claim} claim
 * @returns {Scan}
 */
export function makeScan(claim) {
  return { id: uuid7(), at: new Date().toISOString(), seq: nextNumber(), ...claim };
}

/**
 * @param {Scan} scan
 * @returns {Promise<Outcome>}
 */
export async function send(scan) {
  const list = { device: device(), sent_at: new Date().toISOString(), scans: [scan] };
  const answer = /** @type {{outcomes?: Outcome[]}} */ (await ask("/api/scans", list));
  const outcome = answer.outcomes?.find((each) => each.id === scan.id);
  if (!outcome) throw new Unanswered();
  return outcome;
}

/**
 * @param {string} code whatever a scanner gave
 * @returns {Promise<Item>}
 */
export async function lookUp(code) {
  return /** @type {Promise<Item>} */ (ask(`/api/items?code=${encodeURIComponent(code)}`));
}

/**
 * Whom this item may be released to.
 * @param {string} code
 * @returns {Promise<Receiver[]>}
 */
export async function receivers(code) {
  return /** @type {Promise<Receiver[]>} */ (ask(`/api/receivers?code=${encodeURIComponent(code)}`));
}

/**
 * What is booked and promised to me: an unbound label is stuck on one of these.
 * @returns {Promise<Item[]>}
 */
export async function promised() {
  return /** @type {{promised: Item[]}} */ (await ask("/api/held")).promised;
}

/**
 * Log in again without leaving the page. Answers with the login that is in force now.
 * @param {string} login
 * @param {string} password
 * @returns {Promise<string>}
 */
export async function logIn(login, password) {
  const form = new URLSearchParams({ login, password, device: device(), next: "/scan", _csrf_token: csrf() });
  await fetchOrFail("/login", { method: "POST", body: form });
  const page = await (await fetchOrFail("/scan", { headers: { accept: "text/html" } })).text();
  const who = new DOMParser().parseFromString(page, "text/html").querySelector("[data-person]");
  if (!who) throw new LoggedOut();
  return who.getAttribute("data-person") ?? "";
}

/**
 * @param {string} address
 * @param {unknown} [body]
 */
async function ask(address, body) {
  const response = await fetchOrFail(address, body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  return response.json().catch(() => {
    throw new Unanswered();
  });
}

/**
 * @param {string} address
 * @param {RequestInit} how
 * @param {boolean} [again] whether a stale CSRF cookie may still be renewed
 * @returns {Promise<Response>}
 */
async function fetchOrFail(address, how, again = true) {
  const headers = { accept: "application/json", "x-csrftoken": csrf(), "x-device": device(), ...how.headers };
  const response = await fetch(address, { ...how, headers, signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
    throw new Unanswered();
  });
  if (response.ok) return response;
  if (response.status >= 500 || (LATER.includes(response.status) && address !== "/login")) throw new Unanswered();
  const { error, detail } = read(await response.text());
  if (response.status === 403 && again && (await isStale(headers["x-csrftoken"]))) return fetchOrFail(address, how, false);
  if (response.status === 401 && address !== "/login") throw new LoggedOut();
  throw new Refusal(error, detail);
}

/**
 * The error in an answer: a program's, or the sentence on a page.
 * @param {string} text
 * @returns {{error: string, detail: string}}
 */
function read(text) {
  try {
    return { error: "", detail: "", ...JSON.parse(text) };
  } catch {
    const page = new DOMParser().parseFromString(text, "text/html");
    return { error: "", detail: page.querySelector("[data-problem]")?.textContent?.trim() ?? "" };
  }
}

/**
 * Whether the page's CSRF token was no longer, or not yet, the right one. Any page of ours brings the cookie back.
 * @param {string} sent
 */
async function isStale(sent) {
  await fetch("/scan", { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => undefined);
  return csrf() !== sent;
}

function csrf() {
  return /(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/** The order of this device's scans, whatever its clock says. */
function nextNumber() {
  const next = Number(localStorage.getItem("scan.seq") ?? 0) + 1;
  localStorage.setItem("scan.seq", String(next));
  return next;
}
