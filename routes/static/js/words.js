// @ts-check
/** The page's texts in the reader's language, from its block of data with the id "words" and those of its parts. */

/** @type {Record<string, string>} */
const WORDS = Object.assign({}, ...[...document.querySelectorAll("#words, script[data-words]")].map((each) => JSON.parse(each.textContent ?? "{}")));

/**
 * The text of this name, its {braces} filled in.
 * @param {string} name
 * @param {Record<string, string | number>} [facts]
 */
export function say(name, facts = {}) {
  const text = WORDS[name];
  if (text === undefined) throw new Error(`No words for ${name}`);
  return text.replace(/\{(\w+)\}/g, (whole, key) => String(facts[key] ?? whole));
}

/** @param {string} name */
export function knows(name) {
  return name in WORDS;
}

const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : "vi-VN";
const TIME = new Intl.DateTimeFormat(LANGUAGE, { timeZone: "Asia/Ho_Chi_Minh", hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { timeZone: "Asia/Ho_Chi_Minh", day: "2-digit", month: "2-digit" });
const DATE = new Intl.DateTimeFormat(LANGUAGE, { timeZone: "Asia/Ho_Chi_Minh", day: "2-digit", month: "2-digit", year: "numeric" });
const MONEY = new Intl.NumberFormat("vi-VN");

/**
 * "14:05", with the day when it is not today.
 * @param {string | Date} when
 */
export function clock(when) {
  const then = new Date(when);
  const day = DAY.format(then);
  return day === DAY.format(new Date()) ? TIME.format(then) : `${TIME.format(then)} ${day}`;
}

/**
 * "23/11/2026".
 * @param {string} day an ISO date
 */
export function date(day) {
  return DATE.format(new Date(`${day.slice(0, 10)}T12:00:00+07:00`));
}

/** @param {number} dong */
export function money(dong) {
  return `${MONEY.format(dong)} đ`;
}
