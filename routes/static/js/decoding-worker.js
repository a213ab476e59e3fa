// @ts-check
/** zxing beside the page: takes a picture, answers with the codes in it. Its wasm comes from our own origin. */

import { mend } from "./enhancing.js";

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{text: string, format: string, position: {topLeft: Point, topRight: Point, bottomLeft: Point, bottomRight: Point}}} Read */
/** @typedef {{readBarcodes(image: ImageData, options: object): Promise<Read[]>, prepareZXingModule(how: {overrides: {locateFile: (path: string, prefix: string) => string}}): void}} Zxing */

const READER = "/npm/zxing-wasm/dist/es/reader/index.js";
const WASM = "/npm/zxing-wasm/dist/reader/";
/** Labels are black on white: looking for white on black takes a third of the time and finds nothing. */
const OPTIONS = { formats: ["QRCode", "Code128"], tryInvert: false, maxNumberOfSymbols: 16 };
/** @type {Record<string, string>} */
const NAMES = { QRCode: "qr_code", Code128: "code_128" };
/** What a camera sees that sees nothing is darker than this. */
const DARK = 6;
/** So many places of a picture tell whether it is black. */
const PLACES = 1024;

const zxing = open();

async function open() {
  const { readBarcodes, prepareZXingModule } = /** @type {Zxing} */ (await import(READER));
  prepareZXingModule({
    overrides: { locateFile: (path, prefix) => (path.endsWith(".wasm") ? WASM + path : prefix + path) },
  });
  return readBarcodes;
}

/** @param {Read} read */
function told({ text, format, position }) {
  const corners = Object.values(position).filter((each) => typeof each === "object");
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { rawValue: text, format: NAMES[format] ?? "qr_code", boundingBox: { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y } };
}

/** @type {OffscreenCanvasRenderingContext2D | null} */
let pen = null;

/**
 * @param {ImageBitmap | VideoFrame} picture
 * @param {Box} box what is wanted of a whole picture; a bitmap is cut already
 * @param {{width: number, height: number}} size
 */
function drawn(picture, box, { width, height }) {
  pen ??= new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("The browser cannot draw");
  if (pen.canvas.width !== width || pen.canvas.height !== height) Object.assign(pen.canvas, { width, height });
  if (picture instanceof ImageBitmap) pen.drawImage(picture, 0, 0, width, height);
  else pen.drawImage(picture, box.x, box.y, box.width, box.height, 0, 0, width, height);
  picture.close();
  return pen.getImageData(0, 0, width, height);
}

/** @param {ImageData} picture */
function isLit({ data }) {
  const step = 4 * Math.max(1, Math.floor(data.length / 4 / PLACES));
  for (let at = 0; at < data.length; at += step) {
    for (let colour = at; colour < at + 3; colour += 1) if ((data[colour] ?? 0) > DARK) return true;
  }
  return false;
}

addEventListener("message", async ({ data: { frame, box, size, way, closer } }) => {
  try {
    const read = await zxing;
    const picture = frame instanceof ImageData ? frame : drawn(frame, box, size);
    const lit = isLit(picture);
    mend(picture, way, closer);
    postMessage({ found: (await read(picture, OPTIONS)).map(told), lit });
  } catch (fault) {
    // Reported as the worker's own error, so that the page counts it and says so.
    setTimeout(() => {
      throw fault;
    });
  }
});
