// @ts-check
/**
 * A run is personal, and good for its day only: the next morning nothing of it is left on the phone, whether there is
 * a network or not.
 */

const KEPT = "day.of";
const DAY = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Ho_Chi_Minh" });

/** Today in An Giang, as "2026-11-23". */
export function today() {
  return DAY.format(new Date());
}

/**
 * Note which day's run is on this phone now.
 * @param {string} day
 */
export function note(day) {
  localStorage.setItem(KEPT, day);
}

/** Take an older day's run away. Answers whether there was one. */
export async function forgetYesterday() {
  const kept = localStorage.getItem(KEPT);
  if (kept === null || kept === today()) return false;
  if ("caches" in globalThis) for (const name of await caches.keys()) if (!name.startsWith("shell")) await (await caches.open(name)).delete("/day");
  localStorage.removeItem(KEPT);
  return true;
}
