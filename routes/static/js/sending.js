// @ts-check
/**
 * The one way in and out of the page: what it asks the server, and what the server's answers and silences mean.
 *
 * Only our own server's own word settles anything: half an answer, or a page of somebody else's network, is none.
 * Knows nothing of what is on the page, nor of what waits (queue.js).
 */

import { device } from "./device.js";
import { me } from "./identity.js";
import { wipe } from "./wipe.js";

/** @typedef {"counts" | "seal" | "proof" | "reason" | "again_on" | "held_until" | "to" | "code_and_due"} Need */
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
 * @property {string} [bag]
 * @property {string} [released_text]
 * @property {number} [originals]
 * @property {number} [copies]
 * @property {string} [seal_no]
 * @property {number} attempts
 * @property {number} fee
 * @property {{amount: number, paid: boolean, reference?: string, qr?: string, size?: number}} [pay]
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
 * @property {number} [cash] VND that the citizen gave in cash
 * @property {Record<string, string>} [proof]
 * @property {string} [dossier_code]
 * @property {string} [due_on]
 * @property {string} [again_on]
 * @property {string} [held_until]
 * @property {{lat: number, lon: number, accuracy_m: number}} [position]
 */
/** @typedef {Claim & {id: string, at: string, seq: number, skew_ms?: number}} Scan */

const PATIENCE_MS = 20_000;
const LONG_PATIENCE_MS = 60_000;
const LONGEST_WAIT_MS = 10 * 60_000;
const RESULTS = ["recorded", "repeated", "refused"];
/** Come back later: too slow, too early, too often. */
const LATER = [408, 425, 429];

/** The server said no, in a sentence for the reader. */
export class Refusal extends Error {
  /**
   * @param {string} name
   * @param {string} sentence
   * @param {number} [status]
   */
  constructor(name, sentence, status = 0) {
    super(sentence);
    this.name = name;
    this.status = status;
  }
}

/** What the server says of a list as a whole: "notice" events with its sentence in `detail`. */
export const heard = new EventTarget();

/** Nobody is logged in any more. */
export class LoggedOut extends Error {}

/** No answer, or half an answer: it may be written or not. Sending again under the same id settles it. */
export class Unanswered extends Error {
  /**
   * @param {number} [status] of a server that has fallen ill; 0 when nobody spoke
   * @param {number} [after_ms] when it asks to be asked again
   */
  constructor(status = 0, after_ms = 0) {
    super(`No answer (${status})`);
    this.status = status;
    this.after_ms = after_ms;
  }
}

/** Somebody else is logged in: what was done here waits for who did it, as if there were no network for him. */
export class AnotherLogin extends Unanswered {}

/**
 * Tell the server a list of scans of this page's login. Answers by id; a scan without an answer is still open.
 * @param {string} device
 * @param {Scan[]} scans
 * @returns {Promise<Map<string, Outcome>>}
 */
export async function sendScans(device, scans) {
  const list = { device, sent_at: new Date().toISOString(), scans };
  const answer = /** @type {{outcomes?: unknown, notice?: unknown} | null} */ (await ask("/api/scans", list, { patience_ms: LONG_PATIENCE_MS }));
  const outcomes = Array.isArray(answer?.outcomes) ? /** @type {Outcome[]} */ (answer?.outcomes) : [];
  if (typeof answer?.notice === "string") heard.dispatchEvent(new CustomEvent("notice", { detail: answer.notice }));
  const asked = new Set(scans.map(({ id }) => id));
  return new Map(outcomes.filter((each) => asked.has(each?.id) && RESULTS.includes(each.result)).map((each) => [each.id, each]));
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
 * Ask our server, in the name of this page's login. Without a body it is a GET; a body that is no FormData or Blob
 * goes as JSON.
 * @param {string} address
 * @param {unknown} [body]
 * @param {{method?: string, patience_ms?: number}} [how]
 * @returns {Promise<unknown>} what it answered
 */
export async function ask(address, body, { method, patience_ms = PATIENCE_MS } = {}) {
  const raw = body instanceof FormData || body instanceof Blob;
  /** @type {RequestInit} */
  const request = body === undefined ? {} : { method: "POST", body: raw ? body : JSON.stringify(body), headers: raw ? {} : { "content-type": "application/json" } };
  if (method) request.method = method;
  const response = await fetchOrFail(address, request, patience_ms);
  if (response.status === 204) return null;
  return response.json().catch(() => {
    throw new Unanswered();
  });
}

/**
 * @param {string} address
 * @param {RequestInit} how
 * @param {number} [patience_ms]
 * @param {boolean} [again] whether a stale CSRF cookie may still be renewed
 * @returns {Promise<Response>}
 */
async function fetchOrFail(address, how, patience_ms = PATIENCE_MS, again = true) {
  const program = address.startsWith("/api/");
  /** @type {Record<string, string>} */
  const said = { accept: "application/json", "x-csrftoken": csrf(), "x-device": device() };
  if (program && me) said["x-done-by"] = me;
  const headers = { ...said, .../** @type {Record<string, string>} */ (how.headers) };
  const response = await fetch(address, { ...how, headers, signal: AbortSignal.timeout(patience_ms) }).catch(() => {
    throw new Unanswered();
  });
  if (response.ok) return response;
  const later = response.status >= 500 || (LATER.includes(response.status) && address !== "/login");
  if (later) throw new Unanswered(response.status, retryAfter(response));
  const { error, detail } = read(await response.text().catch(() => ""));
  if (response.status === 403 && again && (await isStale(headers["x-csrftoken"] ?? ""))) return fetchOrFail(address, how, patience_ms, false);
  // A phone that is lost learns it here: whoever holds it finds nobody's name on it.
  if (error === "DeviceSignedOut") await wipe().catch(() => undefined);
  if (response.status === 401 && address !== "/login") throw new LoggedOut();
  if (error === "AnotherLogin") throw new AnotherLogin();
  // A gateway's own page is not our server's word.
  if (program && !error) throw new Unanswered(response.status);
  throw new Refusal(error, detail, response.status);
}

/**
 * @param {Response} response
 * @returns {number} milliseconds; 0 when it does not say
 */
function retryAfter(response) {
  const said = response.headers.get("retry-after") ?? "";
  const wait = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return wait > 0 ? Math.min(wait, LONGEST_WAIT_MS) : 0;
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
    const error = page.querySelector("[data-out]") ? "DeviceSignedOut" : "";
    return { error, detail: page.querySelector("[data-problem]")?.textContent?.trim() ?? "" };
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
