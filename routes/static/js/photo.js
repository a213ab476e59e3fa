// @ts-check
/**
 * A photo of an envelope: made small on the phone, without the place and the camera it came with, and put with what
 * waits to be sent.
 *
 * Loading this module lets what was kept before be sent, too. Never of an ID card: the page says so where one is taken.
 */

import { keep, register } from "./queue.js";
import { ask } from "./sending.js";

/** @typedef {import("./queue.js").Entry} Entry */

const LARGEST = 300_000;
const LONGEST_SIDE = 1600;
const QUALITIES = [0.82, 0.7, 0.55, 0.4, 0.25];
const SMALLER = 0.7;

/** What was chosen is no picture that this browser can read. */
export class NoPicture extends Error {}

register("photo", async ({ id, at, device, payload, blob }) => {
  if (!blob) return { state: "refused", said: "" };
  const form = new FormData();
  form.set("id", id);
  form.set("code", String(payload["code"]));
  form.set("at", at);
  form.set("device", device);
  if (payload["scan"]) form.set("scan", String(payload["scan"]));
  form.set("photo", blob, "envelope.jpg");
  await ask("/api/photos", form, { patience_ms: 60_000 });
  return { state: "sent" };
});

/**
 * Keep a photo of this item. Resolves when it is on the disk.
 * @param {Blob} file
 * @param {string} waybill
 * @param {string} [scan] the id of what it goes with
 * @returns {Promise<Entry>}
 */
export async function keepPhoto(file, waybill, scan) {
  const small = await shrunk(file);
  return keep("photo", { code: waybill, ...(scan && { scan }) }, small);
}

/**
 * A JPEG of at most 300 kB that holds the pixels and nothing else.
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
export async function shrunk(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new NoPicture();
  });
  try {
    let side = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    for (;;) {
      for (const quality of QUALITIES) {
        const made = await drawn(picture, side, quality);
        if (made.size <= LARGEST) return made;
      }
      side *= SMALLER;
    }
  } finally {
    picture.close();
  }
}

/**
 * @param {ImageBitmap} picture
 * @param {number} side
 * @param {number} quality
 * @returns {Promise<Blob>}
 */
function drawn(picture, side, quality) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * side));
  canvas.height = Math.max(1, Math.round(picture.height * side));
  const pen = canvas.getContext("2d");
  if (!pen) throw new NoPicture();
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((made) => (made ? resolve(made) : reject(new NoPicture())), "image/jpeg", quality));
}
