// @ts-check
/** zxing beside the page: takes a picture, answers with the codes in it. Its wasm comes from our own origin. */

/** @typedef {{detect(image: ImageData): Promise<{rawValue: string, format: string, boundingBox: DOMRectReadOnly}[]>}} Detector */
/** @typedef {{BarcodeDetector: new (options: {formats: string[]}) => Detector, prepareZXingModule(options: {overrides: {locateFile: (path: string, prefix: string) => string}}): void}} Ponyfill */

const PONYFILL = "/npm/barcode-detector/dist/es/ponyfill.js";
const WASM = "/npm/zxing-wasm/dist/reader/";

const detector = open();

async function open() {
  const { BarcodeDetector, prepareZXingModule } = /** @type {Ponyfill} */ (await import(PONYFILL));
  prepareZXingModule({
    overrides: { locateFile: (path, prefix) => (path.endsWith(".wasm") ? WASM + path : prefix + path) },
  });
  return new BarcodeDetector({ formats: ["qr_code", "code_128"] });
}

addEventListener("message", async ({ data }) => {
  try {
    const found = await (await detector).detect(/** @type {ImageData} */ (data));
    postMessage(found.map(({ rawValue, format, boundingBox: { x, y, width, height } }) => ({ rawValue, format, boundingBox: { x, y, width, height } })));
  } catch (fault) {
    // Reported as the worker's own error, so that the page counts it and says so.
    setTimeout(() => {
      throw fault;
    });
  }
});
