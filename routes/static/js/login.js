// @ts-check
/**
 * The login on a phone: says which phone it is and, the first time, what people call it.
 *
 * What is kept here belongs to one person: another's login takes it away first. So does word that the phone is out.
 */

import { device, isNamed, setNamed } from "./device.js";
import { input, one, part } from "./page.js";
import { wipe } from "./wipe.js";

const LAST = "scan.person";

const gate = part("[data-gate]");
const form = one("form", HTMLFormElement, gate);

if (gate.hasAttribute("data-out")) void wipe();
input("[data-device]", form).value = device();
if (!isNamed() && matchMedia("(pointer: coarse)").matches) askName();
form.addEventListener("submit", (event) => void enter(event));

function askName() {
  const field = input("#device_name", form);
  part("[data-device-name]", form).hidden = field.disabled = false;
  field.value = model();
}

/** What the browser tells of the phone: "SM-A155F", "iPhone"; a start for a name. */
function model() {
  const android = /Android [^;)]*; ([^;)]+)/.exec(navigator.userAgent)?.[1]?.replace(/ Build.*$/, "");
  return android && android.length > 1 ? android : (/iPhone|iPad/.exec(navigator.userAgent)?.[0] ?? "");
}

/** @param {SubmitEvent} event */
async function enter(event) {
  const who = input("#login", form).value.trim().toLowerCase();
  if (input("#device_name", form).value) setNamed();
  const last = localStorage.getItem(LAST);
  localStorage.setItem(LAST, who);
  if (last === null || last === who) return;
  event.preventDefault();
  await wipe().catch(() => undefined); // what cannot be taken away must not keep anyone from his work
  form.submit();
}
