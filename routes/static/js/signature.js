// @ts-check
/**
 * A pad to sign on with a finger, a pen or a mouse; gives the strokes as the data of an SVG path.
 *
 * Whole units of a field 600 wide and 300 high, so that a signature is small, and the same on every screen and whichever
 * way it is held. Each finger draws its own line; while a pen is at work, a hand that rests on the glass draws none. How
 * hard one presses is not kept: it would tell the pen more than the person.
 */

const WIDTH = 600;
const STEP = 4;
/** What the server takes. */
const LONGEST = 20_000;

export class SignaturePad {
  /** @type {[number, number][][]} */
  #strokes = [];
  /** Lines being drawn, by the pointer that draws them. @type {Map<number, [number, number][]>} */
  #drawing = new Map();
  /** @type {number | null} */
  #pen = null;
  #canvas;
  #onChange;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} onChange
   */
  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.#end(/** @type {PointerEvent} */ (event)));
    new ResizeObserver(() => this.#paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  clear() {
    this.#strokes = [];
    this.#drawing.clear();
    this.#paint();
    this.#onChange();
  }

  /** The data of an SVG path, empty when nobody has signed. */
  path() {
    let path = "";
    for (const stroke of this.#strokes) {
      const drawn = line(stroke);
      if (path.length + drawn.length > LONGEST) break;
      path += drawn;
    }
    return path;
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    event.preventDefault();
    if (event.pointerType === "pen") this.#pen = event.pointerId;
    else if (this.#pen !== null && event.pointerType === "touch") return;
    if (event.button > 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    /** @type {[number, number][]} */
    const stroke = [this.#where(event)];
    this.#drawing.set(event.pointerId, stroke);
    this.#strokes.push(stroke);
    this.#paint();
    this.#onChange();
  }

  /** @param {PointerEvent} event */
  #go(event) {
    const stroke = this.#drawing.get(event.pointerId);
    if (!stroke) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) {
      const [x, y] = this.#where(each);
      const last = stroke.at(-1);
      if (!last || Math.hypot(x - last[0], y - last[1]) >= STEP) stroke.push([x, y]);
    }
    this.#paint();
  }

  /** @param {PointerEvent} event */
  #end(event) {
    this.#drawing.delete(event.pointerId);
    if (event.pointerId === this.#pen) this.#pen = null;
  }

  /**
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  #where(event) {
    const box = this.#canvas.getBoundingClientRect();
    const scale = WIDTH / box.width;
    return [Math.round((event.clientX - box.left) * scale), Math.round((event.clientY - box.top) * scale)];
  }

  #paint() {
    const box = this.#canvas.getBoundingClientRect();
    const sharp = devicePixelRatio || 1;
    this.#canvas.width = Math.round(box.width * sharp);
    this.#canvas.height = Math.round(box.height * sharp);
    const pen = this.#canvas.getContext("2d");
    if (!pen || !box.width) return;
    pen.scale((box.width * sharp) / WIDTH, (box.width * sharp) / WIDTH);
    pen.lineWidth = 4;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = getComputedStyle(this.#canvas).color;
    pen.stroke(new Path2D(this.path()));
  }
}

/**
 * A stroke as curves through the middles of its points; a dot as a line of no length.
 * @param {[number, number][]} points
 */
function line(points) {
  const [first, ...rest] = points;
  const last = rest.pop();
  if (!first) return "";
  if (!last) return `M${first.join(" ")}h0`;
  const curves = rest.map(([x, y], i) => {
    const [nextX, nextY] = rest[i + 1] ?? last;
    return `Q${x} ${y} ${(x + nextX) >> 1} ${(y + nextY) >> 1}`;
  });
  return `M${first.join(" ")}${curves.join("")}L${last.join(" ")}`;
}
