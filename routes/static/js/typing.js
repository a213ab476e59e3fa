// @ts-check
/** The field for a typed waybill: judged while it is typed, handed on when it can be right. */

import { input, one, part } from "./page.js";
import { judge } from "./s10.js";
import { tell } from "./telling.js";
import { say } from "./words.js";

/** @param {(waybill: string) => void} onCode */
export function openTyping(onCode) {
  one("[data-typed]", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    submit(onCode);
  });
  input("#waybill").addEventListener("input", judgeTyped);
  judgeTyped();
}

export function clearTyped() {
  input("#waybill").value = "";
  judgeTyped();
}

function judgeTyped() {
  const field = input("#waybill");
  const verdict = judge(field.value);
  field.removeAttribute("aria-invalid");
  const line = part("[data-typed-says]");
  const fault = "fault" in verdict ? verdict.fault : "good";
  line.className = fault === "digit" || fault === "long" || fault === "letters" ? "problem" : "hint";
  line.textContent = fault === "empty" ? say("typed_hint") : say(`typed_${fault}`, { ...verdict });
}

/** @param {(waybill: string) => void} onCode */
function submit(onCode) {
  const field = input("#waybill");
  const verdict = judge(field.value);
  if ("waybill" in verdict) return onCode(verdict.waybill);
  const sentence = say(`typed_${verdict.fault}`, { ...verdict });
  field.setAttribute("aria-invalid", "true");
  part("[data-typed-says]").textContent = sentence;
  part("[data-typed-says]").className = "problem";
  tell("wrong", say("typed_wrong"), sentence);
  field.focus();
}
