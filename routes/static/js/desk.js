// @ts-check
/**
 * Scanning at a desk: what a USB scanner types or the camera sees is ticked where it stands, or looked for on the
 * other parts of the desk. Without it the field takes the code, and the scanner's own Enter sends it.
 */

import { Camera } from "./camera.js";
import { watch } from "./decoder.js";
import { listen } from "./keyboard-scanner.js";

const AGAIN_MS = 4000;
const WAYBILL = /[A-Z]{2}\d{9}[A-Z]{2}/;

const form = document.querySelector("form[data-desk-scan]");
const says = document.querySelector("[data-desk-says]");
const field = form?.querySelector("#code");

if (form instanceof HTMLFormElement && field instanceof HTMLInputElement) {
  /** @type {{code: string, at: number}} */
  let last = { code: "", at: -Infinity };

  /** @param {string} code */
  const heard = (code) => {
    const now = performance.now();
    if (code === last.code && now - last.at < AGAIN_MS) return;
    last = { code, at: now };
    if (tick(code)) return;
    field.value = code;
    form.requestSubmit();
  };

  // What somebody types fast into a field is no label, and stays there.
  listen(heard, (code) => WAYBILL.test(plain(code)));
  openCamera(heard);
}

/**
 * Tick the row of a label, when this part of the desk has one; what was read goes along, for only that shows a forgery.
 * @param {string} code
 */
function tick(code) {
  const waybill = WAYBILL.exec(plain(code))?.[0];
  const row = waybill ? document.querySelector(`[data-waybill="${waybill}"]`) : null;
  const box = row?.querySelector(`input[type="checkbox"][name="item.${waybill}"]`);
  if (!(row instanceof HTMLElement) || !(box instanceof HTMLInputElement)) return false;
  box.checked = true;
  box.dispatchEvent(new Event("change", { bubbles: true }));
  if (box.form?.id === "receive") {
    const read = document.createElement("input");
    [read.type, read.name, read.value] = ["hidden", `code.${waybill}`, code];
    box.form.querySelector(`[name="code.${waybill}"]`)?.remove();
    box.form.append(read);
  }
  row.scrollIntoView({ block: "nearest" });
  if (says instanceof HTMLElement) says.textContent = `${says.dataset.ticked} ${waybill}`;
  return true;
}

/** @param {string} code */
function plain(code) {
  return code.toUpperCase().replace(/\s/g, "");
}

/** @param {(code: string) => void} onCode */
function openCamera(onCode) {
  const button = document.querySelector("[data-desk-camera]");
  const finder = document.querySelector("[data-desk-finder]");
  const video = finder?.querySelector("video");
  const sentence = finder?.querySelector("[data-desk-camera-says]");
  if (!(button instanceof HTMLButtonElement) || !(finder instanceof HTMLElement)) return;
  if (!(video instanceof HTMLVideoElement) || !(sentence instanceof HTMLElement)) return;
  if (!navigator.mediaDevices) return;
  button.hidden = false;
  /** @type {Camera | null} */
  let camera = null;
  let reading = false;
  button.addEventListener("click", () => {
    finder.hidden = false;
    camera ??= new Camera(video);
    const eye = camera;
    eye.addEventListener("change", () => {
      sentence.textContent = (eye.state === "open" ? sentence.dataset.look : sentence.dataset.no) ?? "";
      if (reading || eye.state !== "open") return;
      reading = true;
      void watch(video, (codes) => codes[0] && onCode(codes[0]), () => undefined, (lit) => eye.see(lit));
    });
    void eye.start();
  });
}

const focus = document.querySelector("[data-focus]");
focus?.scrollIntoView({ block: "center" });
