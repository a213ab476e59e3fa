// @ts-check
/** Mends a picture before it is read: what a lens out of focus, or too little light, has done to it. */

/** @typedef {"plain" | "crisp" | "calm"} Way `crisp` sharpens what is blurred, `calm` smooths the grain of the dark. */

const GAIN = 3;

/**
 * In place; what is mended becomes grey.
 * @param {ImageData} frame
 * @param {Way} way
 * @param {number} closer how many of its pixels stand for one of the camera's
 */
export function mend(frame, way, closer) {
  if (way === "plain") return;
  const { width, height, data } = frame;
  const grey = greyOf(data);
  const soft = softened(grey, width, height, Math.max(1, Math.round(way === "crisp" ? 2 * closer : closer)));
  for (let i = 0, at = 0; i < grey.length; i += 1, at += 4) {
    const now = grey[i] ?? 0;
    const mean = soft[i] ?? 0;
    // The array clamps what comes out too dark or too bright.
    data[at] = data[at + 1] = data[at + 2] = way === "crisp" ? now + GAIN * (now - mean) : mean;
  }
}

/** @param {Uint8ClampedArray} data */
function greyOf(data) {
  const grey = new Uint8Array(data.length / 4);
  for (let i = 0, at = 0; i < grey.length; i += 1, at += 4)
    grey[i] = (306 * (data[at] ?? 0) + 601 * (data[at + 1] ?? 0) + 117 * (data[at + 2] ?? 0)) >> 10;
  return grey;
}

/**
 * The mean of each pixel's neighbours up to `reach` away, by running sums along the rows, then along the columns.
 * @param {Uint8Array} grey
 * @param {number} width
 * @param {number} height
 * @param {number} reach
 */
function softened(grey, width, height, reach) {
  const share = 1 / (2 * reach + 1);
  const rows = new Float32Array(grey.length);
  for (let y = 0; y < height; y += 1) run(grey, rows, y * width, 1, width, reach, share);
  const soft = new Float32Array(grey.length);
  for (let x = 0; x < width; x += 1) run(rows, soft, x, width, height, reach, share);
  return soft;
}

/**
 * @param {Uint8Array | Float32Array} from
 * @param {Float32Array} to
 * @param {number} start
 * @param {number} step
 * @param {number} count
 * @param {number} reach
 * @param {number} share
 */
function run(from, to, start, step, count, reach, share) {
  const last = count - 1;
  let sum = 0;
  for (let i = -reach; i <= reach; i += 1) sum += from[start + Math.min(last, Math.max(0, i)) * step] ?? 0;
  for (let i = 0; i < count; i += 1) {
    to[start + i * step] = sum * share;
    sum += (from[start + Math.min(last, i + reach + 1) * step] ?? 0) - (from[start + Math.max(0, i - reach) * step] ?? 0);
  }
}
