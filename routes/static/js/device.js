// @ts-check
/** Which phone this is: a name that it gives itself once, and keeps whoever logs in. It tells nothing of anybody. */

const KEY = "scan.device";
const NAMED = "scan.device.named";

/** The name: it tells two phones of one person apart, and a lost one from the others. */
export function device() {
  let name = localStorage.getItem(KEY);
  if (!name) {
    name = `web-${uuid7().slice(-12)}`;
    localStorage.setItem(KEY, name);
  }
  return name;
}

/** Whether somebody has said here what he calls this phone. */
export function isNamed() {
  return localStorage.getItem(NAMED) !== null;
}

export function setNamed() {
  localStorage.setItem(NAMED, "yes");
}

/** A UUID whose order is the order of time (RFC 9562, version 7). */
export function uuid7() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  const now = Date.now();
  view.setUint32(0, Math.floor(now / 0x10000));
  view.setUint16(4, now % 0x10000);
  view.setUint16(6, (view.getUint16(6) & 0x0fff) | 0x7000);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}
