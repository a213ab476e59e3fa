// @ts-check
/**
 * Waybills as people type them: `DH` + 8 digits + check digit + `VN` (UPU S10).
 *
 * Says at once whether a typed one can be right. Does not know which waybills exist; what else a scanner
 * may give is for the server to judge.
 */

/** @typedef {{waybill: string} | {fault: "empty"} | {fault: "short" | "long", found: number} | {fault: "letters"} | {fault: "digit", found: string, expected: string}} Typed */

const WEIGHTS = [8, 6, 4, 2, 3, 5, 9, 7];

/**
 * UPU S10: 11 - (weighted sum mod 11), where 10 is written 0 and 11 is written 5.
 * @param {string} serial eight digits
 */
export function checkDigit(serial) {
  const sum = WEIGHTS.reduce((sum, weight, i) => sum + weight * Number(serial[i]), 0);
  const rest = 11 - (sum % 11);
  return String(rest === 10 ? 0 : rest === 11 ? 5 : rest);
}

/**
 * Upper case, without spaces, dashes and invisible marks.
 * @param {string} text
 */
export function bare(text) {
  return text.normalize("NFKC").toUpperCase().replace(/[\p{Z}\p{C}\p{Pd}]/gu, "");
}

/**
 * Judge what was typed. Nine digits alone will do: the letters are the same on every label.
 * @param {string} text
 * @returns {Typed}
 */
export function judge(text) {
  const found = bare(text);
  if (!found) return { fault: "empty" };
  const core = /^(?:DH)?(\d{0,9})(?:VN?)?$/.exec(found)?.[1];
  if (core === undefined) {
    const digits = /^(?:DH)?(\d{10,})(?:VN)?$/.exec(found)?.[1];
    return digits ? { fault: "long", found: digits.length } : { fault: "letters" };
  }
  if (core.length < 9) return { fault: "short", found: core.length };
  const [serial, check] = [core.slice(0, 8), core.slice(8)];
  const expected = checkDigit(serial);
  if (check !== expected) return { fault: "digit", found: check, expected };
  return { waybill: `DH${core}VN` };
}

/**
 * Grouped for people, who compare and dictate it: DH 1234 5678 5 VN, never broken over two lines.
 * @param {string} waybill
 */
export function spaced(waybill) {
  return waybill.replace(/^(\w\w)(\d{4})(\d{4})(\d)(\w\w)$/, "$1\u00a0$2\u00a0$3\u00a0$4\u00a0$5");
}

/**
 * The waybill inside whatever a scanner gave (a label's QR holds an address), or the text itself.
 * Good for telling two labels apart, not for trusting one.
 * @param {string} code
 */
export function waybillIn(code) {
  return /(?:^|\/)([A-Z]{2}\d{9}[A-Z]{2})(?:\/|$)/.exec(code.trim().toUpperCase())?.[1] ?? code.trim();
}

/**
 * Whether a code is one of our labels, by its shape alone.
 * @param {string} code
 */
export function isLabel(code) {
  return /^DH\d{9}VN$/.test(waybillIn(code));
}
