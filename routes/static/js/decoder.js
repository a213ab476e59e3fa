// @ts-check
/**
 * Reads codes out of a video, frame after frame: by the browser's own BarcodeDetector where it knows QR, else by
 * zxing in a worker, so that the page stays quick while it looks.
 */

/** @typedef {{rawValue: string, format: string, boundingBox: {x: number, y: number, width: number, height: number}}} Found */
/** @typedef {{found: Found[], lit: boolean}} Seen whether anything in the picture was lighter than black */
/** @typedef {{detect(video: HTMLVideoElement): Promise<Found[]>}} Decoder */
/** @typedef {{new (options: {formats: string[]}): Decoder, getSupportedFormats(): Promise<string[]>}} NativeDetector */
/** @typedef {import("./enhancing.js").Way} Way */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */

const FORMATS = ["qr_code", "code_128"];
/** A decoder that has not answered by then never will. */
const PATIENCE_MS = 4000;
const FIRST_PATIENCE_MS = 60_000;
const FAULTS_TOLD = 3;
/** The page itself comes first, but the label is not kept waiting for ever. */
const IDLE_WITHIN_MS = 1500;

/**
 * How one frame after the other is looked at: as a whole, and where the aim is, enlarged, in three ways that mend
 * different faults. Chosen by measuring on spoiled labels: see docs/scanning.md.
 * @type {("whole" | Way)[]}
 */
export const ROUND = ["plain", "whole", "crisp", "plain", "whole", "calm"];
/** Pixels that are looked at, at most. */
const LARGEST = 1_600_000;
const LARGEST_WHOLE = 1_000_000;
/** More pixels than this for each of the camera's tell nothing new. */
const CLOSEST = 2;
/** As much of the picture as the aim takes, where none is drawn. */
const MIDDLE = 0.6;
/** People aim roughly. */
const ROUND_AIM = 1.15;

/**
 * @param {(lit: boolean) => void} onLight told after each look of the worker's
 * @returns {Promise<Decoder>}
 */
export async function openDecoder(onLight) {
  const own = await native();
  if (!own) return new ZxingDecoder(onLight);
  /** @type {Decoder} */
  let decoder = own;
  return {
    async detect(video) {
      try {
        return await inTime(decoder.detect(video));
      } catch (fault) {
        // Some phones have the interface and not the service behind it.
        if (decoder !== own) throw fault;
        decoder = new ZxingDecoder(onLight);
        return [];
      }
    },
  };
}

async function native() {
  const Detector = /** @type {{BarcodeDetector?: NativeDetector}} */ (/** @type {unknown} */ (window)).BarcodeDetector;
  const known = (await Detector?.getSupportedFormats().catch(() => [])) ?? [];
  if (!Detector || !known.includes("qr_code")) return null;
  try {
    return new Detector({ formats: FORMATS.filter((format) => known.includes(format)) });
  } catch {
    return null;
  }
}

export class ZxingDecoder {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {CanvasRenderingContext2D | null} */
  #pen = null;
  #cuts = typeof OffscreenCanvas !== "undefined" && typeof createImageBitmap !== "undefined";
  #lends = typeof OffscreenCanvas !== "undefined" && typeof VideoFrame !== "undefined";
  #turn = 0;
  #onLight;

  /** @param {(lit: boolean) => void} [onLight] */
  constructor(onLight = () => undefined) {
    this.#onLight = onLight;
  }

  /**
   * @param {HTMLVideoElement} video
   * @returns {Promise<Found[]>}
   */
  async detect(video) {
    const way = ROUND[this.#turn++ % ROUND.length] ?? "whole";
    return await this.look(video, video.videoWidth, video.videoHeight, way, aimed(video));
  }

  /**
   * @param {CanvasImageSource} picture
   * @param {number} width
   * @param {number} height
   * @param {"whole" | Way} way
   * @param {Box} [aim]
   * @returns {Promise<Found[]>} in the picture's own pixels
   */
  async look(picture, width, height, way, aim = middle(width, height)) {
    const box = way === "whole" ? { x: 0, y: 0, width, height } : aim;
    const area = box.width * box.height;
    if (!area) return [];
    const scale = way === "whole" ? Math.min(1, Math.sqrt(LARGEST_WHOLE / area)) : Math.min(CLOSEST, Math.sqrt(LARGEST / area));
    const size = { width: Math.round(box.width * scale), height: Math.round(box.height * scale) };
    const frame = this.#lent(picture, width, height) ?? (await this.#cut(picture, box)) ?? this.#drawn(picture, box, size);
    const { found, lit } = await this.#ask({ frame, box, size, way: way === "whole" ? "plain" : way, closer: Math.max(1, scale) });
    this.#onLight(lit);
    return found.map(({ boundingBox: { x, y, width: w, height: h }, ...rest }) => ({
      ...rest,
      boundingBox: { x: box.x + x / scale, y: box.y + y / scale, width: w / scale, height: h / scale },
    }));
  }

  /**
   * The video's picture itself, for the worker to cut and to draw: nothing is copied here.
   * @param {CanvasImageSource} picture
   * @param {number} width
   * @param {number} height
   * @returns {VideoFrame | null} null where the browser cannot
   */
  #lent(picture, width, height) {
    if (!this.#lends || !(picture instanceof HTMLVideoElement)) return null;
    try {
      const frame = new VideoFrame(picture);
      if (frame.displayWidth === width && frame.displayHeight === height) return frame;
      frame.close();
    } catch {
      // Some browsers know the word, and not how it is done with a camera.
    }
    this.#lends = false;
    return null;
  }

  /**
   * A piece of the picture for the worker to draw: the page does not wait for its pixels.
   * @param {CanvasImageSource} picture
   * @param {Box} box
   * @returns {Promise<ImageBitmap | null>} null where the browser cannot
   */
  async #cut(picture, { x, y, width, height }) {
    if (!this.#cuts) return null;
    const [left, top] = [Math.floor(x), Math.floor(y)];
    return await createImageBitmap(/** @type {ImageBitmapSource} */ (picture), left, top, Math.floor(width), Math.floor(height)).catch(() => {
      this.#cuts = false;
      return null;
    });
  }

  /**
   * The same on the page itself.
   * @param {CanvasImageSource} picture
   * @param {Box} box
   * @param {{width: number, height: number}} size
   */
  #drawn(picture, box, size) {
    const pen = (this.#pen ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
    if (!pen) throw new Error("The browser cannot draw");
    Object.assign(pen.canvas, size);
    pen.drawImage(picture, box.x, box.y, box.width, box.height, 0, 0, size.width, size.height);
    return pen.getImageData(0, 0, size.width, size.height);
  }

  /**
   * @param {{frame: ImageData | ImageBitmap | VideoFrame, box: Box, size: {width: number, height: number}, way: Way, closer: number}} question
   * @returns {Promise<Seen>}
   */
  async #ask(question) {
    const worker = (this.#worker ??= new Worker(new URL("./decoding-worker.js", import.meta.url), { type: "module" }));
    try {
      return await inTime(
        new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(/** @type {Seen} */ (data));
          worker.onerror = (fault) => reject(new Error(fault.message || "The decoder did not start"));
          const { frame } = question;
          worker.postMessage(question, [frame instanceof ImageData ? frame.data.buffer : frame]);
        }),
        // The first answer waits for the decoder to come over the network.
        this.#ready ? PATIENCE_MS : FIRST_PATIENCE_MS,
      );
    } catch (fault) {
      // One that hangs or has died is replaced; what it was lent may have been what it died of.
      if (this.#ready) this.#lends = false;
      worker.terminate();
      this.#worker = null;
      this.#ready = false;
      throw fault;
    } finally {
      this.#ready = this.#worker !== null;
    }
  }

  #ready = false;
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @param {number} [patience]
 * @returns {Promise<T>}
 */
function inTime(answer, patience = PATIENCE_MS) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("The decoder does not answer")), patience);
    answer.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/**
 * The part of the picture that the aim shows to the person, as it lies over the video.
 * @param {HTMLVideoElement} video
 * @returns {Box}
 */
function aimed(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const frame = video.parentElement?.querySelector("[data-aim]")?.getBoundingClientRect();
  const shown = video.getBoundingClientRect();
  if (!frame?.width || !shown.width || !width) return middle(width, height);
  // The video covers its place: what does not fit is cut off on both sides.
  const scale = Math.max(shown.width / width, shown.height / height);
  const [w, h] = [Math.min(width, (frame.width * ROUND_AIM) / scale), Math.min(height, (frame.height * ROUND_AIM) / scale)];
  const [x, y] = [frame.x + frame.width / 2 - shown.x - shown.width / 2, frame.y + frame.height / 2 - shown.y - shown.height / 2];
  return { x: (width - w) / 2 + x / scale, y: (height - h) / 2 + y / scale, width: w, height: h };
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {Box}
 */
function middle(width, height) {
  const [w, h] = [width * MIDDLE, height * MIDDLE];
  return { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h };
}

/**
 * Look at frame after frame, without pause, for as long as the page lives.
 * @param {HTMLVideoElement} video
 * @param {(codes: string[]) => void} onCodes told for each frame with codes in it, the likeliest meant first
 * @param {(well: boolean) => void} onHealth the decoder could not be had, while typing still works; or is there again
 * @param {(lit: boolean) => void} [onLight] told whether the picture looked at was not all black, by who knows it
 */
export async function watch(video, onCodes, onHealth, onLight = () => undefined) {
  await idle();
  const decoder = await openDecoder(onLight);
  let faults = 0;
  for (;;) {
    await nextFrame(video);
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !video.srcObject) continue;
    try {
      const found = await decoder.detect(video);
      if (faults >= FAULTS_TOLD) onHealth(true);
      faults = 0;
      if (found.length) onCodes(meant(found, video));
    } catch {
      faults += 1;
      if (faults === FAULTS_TOLD) onHealth(false);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** The page has been put together, and has nothing more pressing to do. */
async function idle() {
  if (document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
  await new Promise((resolve) => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(resolve, { timeout: IDLE_WITHIN_MS });
    else setTimeout(resolve);
  });
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
