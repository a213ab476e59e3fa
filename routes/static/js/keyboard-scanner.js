// @ts-check
/**
 * A USB scanner is a keyboard that types very fast and presses Enter.
 *
 * Recognised by its speed wherever the focus is; what it typed into a field is taken out again. Nobody
 * types eight keys with less than 50 ms between any two of them.
 */

const BETWEEN_KEYS_MS = 50;
const SHORTEST = 8;
const AFTER_MS = 150;

/** @typedef {{field: HTMLInputElement | HTMLTextAreaElement | null, value: string, text: string, at: number}} Burst */

/** Keys of a US layout by place: an input method for Vietnamese may hide what was pressed. */
const SIGNS = new Map([
  ["Slash", ["/", "?"]], ["Semicolon", [";", ":"]], ["Period", [".", ">"]], ["Minus", ["-", "_"]], ["Space", [" ", " "]],
]);

/**
 * @param {(code: string) => void} onCode
 * @param {(code: string, field: HTMLElement | null) => boolean} isWanted else what was typed stays in its field
 * @param {EventTarget} [on]
 * @returns {() => void} stops listening
 */
export function listen(onCode, isWanted, on = window) {
  /** @type {Burst | null} */
  let burst = null;
  let finished = -Infinity;

  /** @param {Event} event */
  function hear(event) {
    if (!(event instanceof KeyboardEvent) || event.ctrlKey || event.altKey || event.metaKey) return;
    const now = event.timeStamp;
    if (event.key === "Enter" || event.key === "Tab") {
      const heard = burst;
      burst = null;
      // Some scanners end with two line ends: the second must not press the button that has come into focus.
      if (now - finished < AFTER_MS) return event.preventDefault();
      if (!heard || heard.text.length < SHORTEST || now - heard.at > BETWEEN_KEYS_MS) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      finished = now;
      if (!isWanted(heard.text.trim(), heard.field)) return;
      if (heard.field) heard.field.value = heard.value;
      heard.field?.dispatchEvent(new Event("input", { bubbles: true }));
      onCode(heard.text.trim());
      return;
    }
    const sign = written(event);
    if (sign === null) return;
    if (!burst || now - burst.at > BETWEEN_KEYS_MS) burst = begun();
    burst.text += sign;
    burst.at = now;
  }

  /** @returns {Burst} */
  function begun() {
    const focus = document.activeElement;
    const field = focus instanceof HTMLInputElement || focus instanceof HTMLTextAreaElement ? focus : null;
    return { field, value: field?.value ?? "", text: "", at: 0 };
  }

  on.addEventListener("keydown", hear, { capture: true });
  return () => on.removeEventListener("keydown", hear, { capture: true });
}

/**
 * The sign a key writes, null for a key that writes none.
 * @param {KeyboardEvent} event
 */
function written(event) {
  if ([...event.key].length === 1 && event.key.charCodeAt(0) < 128) return event.key;
  if (event.key.length > 1 && event.key !== "Process" && event.key !== "Unidentified") return null;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  if (letter) return event.shiftKey || event.getModifierState("CapsLock") ? letter : letter.toLowerCase();
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  return digit ?? SIGNS.get(event.code)?.[event.shiftKey ? 1 : 0] ?? null;
}
