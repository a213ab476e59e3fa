// @ts-check
/** The verdict at the top of the scan page: seen, heard, felt and read aloud. */

import { draw, part } from "./page.js";
import { give } from "./signals.js";

/** @typedef {"ready" | "busy" | "read" | "kept" | "good" | "remark" | "wrong"} Tone */

const ICONS = { ready: "scan", busy: "clock", read: "envelope", kept: "mobile", good: "check", remark: "alert", wrong: "cross" };

/**
 * @param {Tone} tone
 * @param {string} title
 * @param {string} words
 * @param {{silent?: boolean}} [how]
 */
export function tell(tone, title, words, { silent = false } = {}) {
  const verdict = part("[data-verdict]");
  verdict.dataset.tone = tone;
  draw(verdict, ICONS[tone]);
  part("[data-verdict-title]").textContent = title;
  part("[data-verdict-text]").textContent = words;
  if (silent) return;
  part("[data-aloud]").textContent = `${title}. ${words}`;
  if (tone === "kept") give("good");
  else if (tone !== "ready" && tone !== "busy") give(tone);
}
