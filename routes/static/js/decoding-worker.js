// @ts-check
/** zxing beside the page: takes a picture, answers with the codes in it. Its wasm comes from our own origin. */

import { mend } from "./enhancing.js";

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{text: string, format: string, position: {topLeft: Point, topRight: Point, bottomLeft: Point, bottomRight: Point}}} Read */
/** @typedef {{readBarcodes(image: ImageData, options: object): Promise<Read[]>, prepareZXingModule(how: {overrides: {locateFile: (path: string, prefix: string) => string}}): void}} Zxing */

const READER = "/npm/zxing-wasm/dist/es/reader/index.js";
const WASM = "/npm/zxing-wasm/dist/reader/";
/** Labels are black on white: looking for white on black takes a third of the time and finds nothing. */
const OPTIONS = { formats: ["QRCode", "Code128"], tryInvert: false, maxNumberOfSymbols: 16 };
/** @type {Record<string, string>} */
const NAMES = { QRCode: "qr_code", Code128: "code_128" };

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
 * @param {ImageBitmap} cut
 * @param {{width: number, height: number}} size
 */
function drawn(cut, { width, height }) {
  pen ??= new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!pen) throw new Error("The browser cannot draw");
  if (pen.canvas.width !== width || pen.canvas.height !== height) Object.assign(pen.canvas, { width, height });
  pen.drawImage(cut, 0, 0, width, height);
  cut.close();
  return pen.getImageData(0, 0, width, height);
}

addEventListener("message", async ({ data: { frame, size, way, closer } }) => {
  try {
    const read = await zxing;
    const picture = frame instanceof ImageData ? frame : drawn(frame, size);
    mend(picture, way, closer);
    postMessage((await read(picture, OPTIONS)).map(told));
  } catch (fault) {
    // Reported as the worker's own error, so that the page counts it and says so.
    setTimeout(() => {
      throw fault;
    });
  }
});
