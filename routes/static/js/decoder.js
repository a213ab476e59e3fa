// @ts-check
/**
 * Reads codes out of a video, frame after frame: by the browser's own BarcodeDetector where it knows QR, else by
 * zxing in a worker, so that the page stays quick while it looks.
 */

/** @typedef {{rawValue: string, format: string, boundingBox: {x: number, y: number, width: number, height: number}}} Found */
/** @typedef {{detect(video: HTMLVideoElement): Promise<Found[]>}} Decoder */
/** @typedef {{new (options: {formats: string[]}): Decoder, getSupportedFormats(): Promise<string[]>}} NativeDetector */

const FORMATS = ["qr_code", "code_128"];
/** Wide enough for a 25 mm label held at arm's length, small enough for an old phone. */
const WIDEST = 1280;

/** @returns {Promise<Decoder>} */
export async function openDecoder() {
  const own = await native();
  if (!own) return new ZxingDecoder();
  /** @type {Decoder} */
  let decoder = own;
  return {
    async detect(video) {
      try {
        return await decoder.detect(video);
      } catch {
        // Some phones have the interface and not the service behind it.
        if (decoder === own) decoder = new ZxingDecoder();
        return [];
      }
    },
  };
}

async function native() {
  const Detector = /** @type {{BarcodeDetector?: NativeDetector}} */ (/** @type {unknown} */ (window)).BarcodeDetector;
  const known = (await Detector?.getSupportedFormats().catch(() => [])) ?? [];
  if (!Detector || !known.includes("qr_code")) return null;
  return new Detector({ formats: FORMATS.filter((format) => known.includes(format)) });
}

class ZxingDecoder {
  #worker = new Worker("/static/js/decoding-worker.js", { type: "module" });
  #pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /**
   * @param {HTMLVideoElement} video
   * @returns {Promise<Found[]>}
   */
  detect(video) {
    const scale = Math.min(1, WIDEST / video.videoWidth);
    const [width, height] = [Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)];
    if (!this.#pen || !width || !height) return Promise.resolve([]);
    const canvas = this.#pen.canvas;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    this.#pen.drawImage(video, 0, 0, width, height);
    const frame = this.#pen.getImageData(0, 0, width, height);
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => resolve(/** @type {Found[]} */ (data));
      this.#worker.onerror = (fault) => reject(new Error(fault.message || "The decoder did not start"));
      this.#worker.postMessage(frame, [frame.data.buffer]);
    });
  }
}

/**
 * Look at frame after frame, without pause, for as long as the page lives.
 * @param {HTMLVideoElement} video
 * @param {(codes: string[]) => void} onCodes told for each frame with codes in it, the likeliest meant first
 * @param {() => void} onFault the decoder could not be had; typing still works
 */
export async function watch(video, onCodes, onFault) {
  const decoder = await openDecoder();
  let faults = 0;
  for (;;) {
    await nextFrame(video);
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) continue;
    try {
      const found = await decoder.detect(video);
      faults = 0;
      if (found.length) onCodes(meant(found, video));
    } catch {
      faults += 1;
      if (faults === 3) onFault();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** @param {HTMLVideoElement} video */
function nextFrame(video) {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, 250);
    video.requestVideoFrameCallback?.(() => {
      clearTimeout(late);
      resolve(undefined);
    });
  });
}

/**
 * A label's QR before its bars, because only the QR proves who printed it; then what is nearest the middle.
 * @param {Found[]} found
 * @param {HTMLVideoElement} video
 */
function meant(found, video) {
  /** @param {Found} each */
  const away = ({ boundingBox: { x, y, width, height } }) =>
    Math.hypot(x + width / 2 - video.videoWidth / 2, y + height / 2 - video.videoHeight / 2);
  /** @param {Found} each */
  const bars = (each) => Number(each.format !== "qr_code");
  const order = [...found].sort((a, b) => bars(a) - bars(b) || away(a) - away(b));
  return order.map((each) => each.rawValue).filter((code) => code.trim());
}
