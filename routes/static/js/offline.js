// @ts-check
/**
 * What every page of somebody who is logged in does for the app: keeps its files and this page on the phone, sends
 * what waits, says when a new version waits, and cleans up at logout.
 */

import { me } from "./identity.js";
import { button, one, part } from "./page.js";
import "./photo.js"; // whichever page is open sends what another has kept
import "./photo.js"; // what was photographed on another page is sent from this one, too
import { OWED, list } from "./queue.js";
import { refill } from "./satchel.js";
import { LOCK, syncing } from "./syncing.js";
import { wipe } from "./wipe.js";
import { forgetYesterday } from "./yesterday.js";

const LOOK_EVERY_MS = 10 * 60_000;
const GOING = "queue.logging_out";

void navigator.storage?.persist?.().catch(() => false);
void forgetYesterday().then(keepApp);
// A fresh login brings the key to what waits; where it is not here yet, it is fetched.
syncing.addEventListener("change", fetchKey);
for (const form of document.querySelectorAll("form[data-logout]")) if (form instanceof HTMLFormElement) watchLogout(form);

function fetchKey() {
  if (syncing.way !== "login") return;
  syncing.removeEventListener("change", fetchKey);
  void refill().catch(() => undefined);
}

async function keepApp() {
  const worker = navigator.serviceWorker;
  if (!worker) return; // plain http
  const app = await worker.register("/sw.js", { updateViaCache: "none" }).catch(() => null);
  if (!app) return;
  let looked = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || Date.now() - looked < LOOK_EVERY_MS) return;
    looked = Date.now();
    app.update().catch(() => undefined);
  });
  const see = () => announce(app);
  app.addEventListener("updatefound", () => app.installing?.addEventListener("statechange", see));
  see();
  await keepPage();
}

/** The very first visit came before the worker was there to keep the page. */
async function keepPage() {
  const { pathname } = location;
  if (!["/scan", "/day"].includes(pathname) || !navigator.onLine) return;
  await navigator.serviceWorker.ready;
  const pages = await caches.open("pages");
  if (await pages.match(pathname)) return;
  const response = await fetch(pathname, { headers: { accept: "text/html" }, redirect: "error" }).catch(() => null);
  if (response?.ok) await pages.put(pathname, response);
}

/** @param {ServiceWorkerRegistration} app */
function announce(app) {
  // Without one in charge this is the first: there is no older version to replace.
  if (!app.waiting || !navigator.serviceWorker.controller) return;
  const notice = part("[data-update]");
  if (!notice.hidden) return;
  notice.hidden = false;
  button("[data-update-now]").addEventListener("click", () => void update(app));
}

/**
 * Change over while nothing is being sent: what waits lies on the disk, and is found there by the new version.
 * @param {ServiceWorkerRegistration} app
 */
function update(app) {
  button("[data-update-now]").disabled = true;
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
  return navigator.locks.request(LOCK, async () => {
    app.waiting?.postMessage("take over");
    // Held until the page is gone, so that no tab begins to send in between.
    await new Promise((resolve) => setTimeout(resolve, 5000));
  });
}

/** @param {HTMLFormElement} form */
function watchLogout(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void leave(form);
  });
  // Once without a network is enough said: the session ends as soon as there is one.
  if (localStorage.getItem(GOING) === me && navigator.onLine) void out(form);
}

/** @param {HTMLFormElement} form */
async function leave(form) {
  const owed = await count();
  if (!owed) return out(form);
  const dialog = one("dialog[data-leaving]", HTMLDialogElement);
  const says = part("[data-leaving-says]", dialog);
  const tell = (/** @type {number} */ number) => (says.textContent = (says.dataset["text"] ?? "").replace("{count}", String(number)));
  tell(owed);
  part("[data-leaving-problem]", dialog).hidden = true;
  button("[data-leaving-go]", dialog).onclick = () => void out(form);
  button("[data-leaving-send]", dialog).onclick = async () => {
    await syncing.sync({ now: true });
    const left = await count();
    if (!left) return out(form);
    tell(left);
    part("[data-leaving-problem]", dialog).hidden = false;
  };
  dialog.showModal();
}

async function count() {
  return (await list().catch(() => [])).filter(({ state }) => OWED.includes(state)).length;
}

/**
 * Take away what is personal, keys and all, and end the session; what waits stays, locked.
 * @param {HTMLFormElement} form
 */
async function out(form) {
  await wipe().catch(() => undefined); // what cannot be taken away must not keep anyone logged in
  if (!navigator.onLine) {
    localStorage.setItem(GOING, me);
    return location.assign("/offline");
  }
  localStorage.removeItem(GOING);
  form.submit();
}
