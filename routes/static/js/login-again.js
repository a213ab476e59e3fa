// @ts-check
/** A login that ended in the middle: asked for in a dialog, so that what was scanned and entered stays. */

import { button, input, one, part } from "./page.js";
import { LoggedOut, Refusal, Unanswered, logIn } from "./sending.js";
import { say } from "./words.js";

const { person: ME = "", name: NAME = "" } = part("[data-person]").dataset;

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Ask for the login once, however many wait for it. Answers whether the same person is logged in again.
 * @returns {Promise<boolean>}
 */
export function logInAgain() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

/** @returns {Promise<boolean>} */
function ask() {
  const dialog = one("dialog[data-login]", HTMLDialogElement);
  const form = one("form", HTMLFormElement, dialog);
  const stop = new AbortController();
  complain("");
  input("#password", form).value = "";
  dialog.showModal();
  (input("#login", form).value ? input("#password", form) : input("#login", form)).focus();
  return new Promise((resolve) => {
    /** @param {boolean} done */
    const end = (done) => {
      stop.abort();
      input("#password", form).value = "";
      dialog.close();
      resolve(done);
    };
    form.addEventListener(
      "submit",
      async (event) => {
        event.preventDefault();
        if (await tried(form)) end(true);
      },
      { signal: stop.signal },
    );
    button("[data-login-later]", form).addEventListener("click", () => end(false), { signal: stop.signal });
    dialog.addEventListener("cancel", () => end(false), { signal: stop.signal });
  });
}

/** @param {HTMLFormElement} form */
async function tried(form) {
  button("[data-login-go]", form).disabled = true;
  complain("");
  try {
    const who = await logIn(input("#login", form).value.trim(), input("#password", form).value);
    // A scan belongs to who scanned it: another login must not send it as its own.
    if (who === ME) return true;
    complain(say("other_person", { name: NAME }));
  } catch (fault) {
    complain(sentence(fault));
  } finally {
    button("[data-login-go]", form).disabled = false;
  }
  return false;
}

/** @param {unknown} fault */
function sentence(fault) {
  if (fault instanceof Unanswered) return say("unsent_login");
  if (fault instanceof Refusal && fault.message) return fault.message;
  if (fault instanceof Refusal || fault instanceof LoggedOut) return say("login_failed");
  throw fault;
}

/** @param {string} words */
function complain(words) {
  const line = part("[data-login-problem]");
  line.textContent = words;
  line.hidden = !words;
}
