// @ts-check
/**
 * A USB scanner fills and sends the page's one scanning form, wherever the focus is. Without it the field has
 * the focus and the scanner's Enter sends it all the same.
 */

import { listen } from "./keyboard-scanner.js";

const form = document.querySelector("form[data-scans]");
if (form instanceof HTMLFormElement) {
  const code = form.querySelector("#code");
  if (code instanceof HTMLInputElement) {
    listen((text) => {
      code.value = text;
      form.requestSubmit();
    }, () => true);
    form.addEventListener("submit", (event) => {
      // A second Enter of the scanner must not send the same form again.
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
    // Back from the next page: the form is to be used again.
    window.addEventListener("pageshow", () => delete form.dataset.sent);
  }
}
