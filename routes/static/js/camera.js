// @ts-check
/**
 * A camera that stays open: restarted after sleep, when its track ends or falls silent, when it freezes and when it
 * goes black. Whatever happens, `state` says it; a picture is never black without a sentence.
 *
 * Says how it is by "change" events. Knows nothing of codes.
 */

/**
 * @typedef {"closed" | "starting" | "open" | "black" | "lost" | "refused" | "absent" | "busy" | "insecure"} CameraState
 * `black`: open, and nothing to be seen. `lost`: was open, and is being opened again.
 */
/** @typedef {{min: number, max: number, step?: number}} Span */
/** @typedef {MediaTrackCapabilities & {torch?: boolean, zoom?: Span, focusMode?: string[]}} Abilities */
/** @typedef {MediaTrackSettings & {torch?: boolean, zoom?: number}} Settings */

const WATCH_MS = 1000;
/** A lens in a pocket is black too: say so soon, and do not restart over and over. */
const BLACK_MS = 2500;
const BLACK_LONG_MS = 6000;
const FROZEN_MS = 4000;
const SILENT_MS = 2000;
/** Some phones never answer when another program has the camera. */
const PATIENCE_MS = 10_000;
const RESTART_EVERY_MS = 5000;
const RESTART_BLACK_EVERY_MS = 60_000;
const DARK = 6;
/** Who looks at the pictures anyway says so this often; else the camera looks for itself, which costs the page time. */
const TOLD_WITHIN_MS = 2000;
const CHOICE = "scan.camera";
const CLOSER = "scan.zoom";
/** As far as a hand that holds the phone still makes use of. */
const ZOOMS = [1, 1.5, 2, 3];

/** @type {Record<string, CameraState>} */
const FAULTS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
};

export class Camera extends EventTarget {
  /** @type {CameraState} */
  state = "closed";
  /** The cameras there are, once one was allowed. @type {MediaDeviceInfo[]} */
  all = [];
  #wanted = false;
  #video;
  /** @type {MediaStream | null} */
  #stream = null;
  #eye = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  #attempt = 0;
  #lit = 0;
  #told = 0;
  #moved = 0;
  #heard = 0;
  #clock = -1;
  #restarted = -Infinity;
  #torch = false;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.#video = video;
    const look = () => {
      if (document.hidden) this.#close("closed");
      else if (this.#wanted && this.state === "closed") void this.start();
    };
    // A page that comes back from sleep, or from the browser's memory of pages.
    for (const each of ["visibilitychange", "resume"]) document.addEventListener(each, look);
    addEventListener("pageshow", look);
    navigator.mediaDevices?.addEventListener?.("devicechange", () => {
      if (this.state === "absent" || this.state === "busy") void this.start();
      else void this.#count();
    });
    setInterval(() => this.#watch(), WATCH_MS);
  }

  async start() {
    this.#wanted = true;
    if (this.state === "starting" || document.hidden) return;
    const mine = ++this.#attempt;
    this.#close("starting");
    if (!navigator.mediaDevices) return this.#turn("insecure");
    const late = setTimeout(() => this.#isStarting(mine) && this.#close("busy"), PATIENCE_MS);
    try {
      const stream = await this.#ask();
      if (!this.#isStarting(mine)) return stop(stream);
      await this.#show(stream);
    } catch (fault) {
      if (mine === this.#attempt && !document.hidden) this.#close(FAULTS[fault instanceof Error ? fault.name : ""] ?? "busy");
    } finally {
      clearTimeout(late);
    }
    void this.#count();
  }

  /**
   * Be told by who has looked at a picture.
   * @param {boolean} lit whether it was not all black
   */
  see(lit) {
    this.#told = performance.now();
    if (lit) this.#lit = this.#told;
  }

  /** Whether the lamp is on; null when there is none to switch. */
  get torch() {
    return this.#can.torch ? Boolean(this.#has.torch) : null;
  }

  /** @param {boolean} on */
  async light(on) {
    this.#torch = on;
    await this.#apply({ torch: on });
  }

  /** How many times nearer things are shown; null when the camera cannot. */
  get zoom() {
    const { zoom } = this.#can;
    return zoom && zoom.max > zoom.min ? (this.#has.zoom ?? 1) / unit(zoom) : null;
  }

  /** Go one step nearer, and from the nearest back to the whole picture. It is remembered. */
  async closer() {
    const { zoom } = this.#can;
    if (!zoom || this.zoom === null) return;
    const now = this.zoom;
    const next = ZOOMS.find((each) => each > now + 0.05 && each * unit(zoom) <= zoom.max) ?? 1;
    localStorage.setItem(CLOSER, String(next));
    await this.#apply({ zoom: next * unit(zoom) });
  }

  /** Look through the next camera of this device. It is remembered. */
  async change() {
    const now = this.#track()?.getSettings().deviceId ?? localStorage.getItem(CHOICE);
    const place = this.all.findIndex((each) => each.deviceId === now);
    const next = this.all[(place + 1) % this.all.length];
    if (!next) return;
    localStorage.setItem(CHOICE, next.deviceId);
    await this.start();
  }

  /** What the camera is called, to be told. */
  get name() {
    return this.#track()?.label ?? "";
  }

  /** @returns {Promise<MediaStream>} */
  async #ask() {
    const size = { width: { ideal: 1920 }, height: { ideal: 1080 } };
    const chosen = localStorage.getItem(CHOICE);
    const back = { ...size, facingMode: { ideal: "environment" } };
    if (!chosen) return navigator.mediaDevices.getUserMedia({ audio: false, video: back });
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...size, deviceId: { exact: chosen } } });
    } catch (fault) {
      // It was unplugged, or the browser gave it another name since.
      if (!(fault instanceof Error) || FAULTS[fault.name] !== "absent") throw fault;
      localStorage.removeItem(CHOICE);
      return navigator.mediaDevices.getUserMedia({ audio: false, video: back });
    }
  }

  /**
   * Whether this attempt is still waited for: the page may have gone to sleep, or have tried again.
   * @param {number} attempt
   */
  #isStarting(attempt) {
    return attempt === this.#attempt && this.state === "starting" && !document.hidden;
  }

  #track() {
    return this.#stream?.getVideoTracks()[0];
  }

  /** @returns {Abilities} */
  get #can() {
    return this.#track()?.getCapabilities?.() ?? {};
  }

  /** @returns {Settings} */
  get #has() {
    return this.#track()?.getSettings?.() ?? {};
  }

  /** @param {{torch?: boolean, zoom?: number, focusMode?: string}} wish */
  async #apply(wish) {
    const advanced = [/** @type {MediaTrackConstraintSet} */ (wish)];
    await this.#track()?.applyConstraints({ advanced }).catch(() => undefined);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {MediaStream} stream */
  async #show(stream) {
    this.#stream = stream;
    this.#video.srcObject = stream;
    this.#track()?.addEventListener("ended", () => this.#stream === stream && this.#again());
    // A phone that saves power may want to be touched first.
    await this.#video.play().catch(() => {
      throw new DOMException("The picture does not move", "AbortError");
    });
    // The page may have gone to sleep meanwhile.
    if (this.#stream !== stream) return;
    this.#lit = this.#told = this.#moved = this.#heard = performance.now();
    this.#turn("open");
    const { torch, zoom, focusMode } = this.#can;
    if (focusMode?.includes("continuous")) await this.#apply({ focusMode: "continuous" });
    if (torch && this.#torch) await this.#apply({ torch: true });
    const near = Number(localStorage.getItem(CLOSER) ?? 1);
    if (zoom && near > 1) await this.#apply({ zoom: Math.min(zoom.max, near * unit(zoom)) });
  }

  /** @param {CameraState} state */
  #close(state) {
    if (this.#stream) stop(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
    this.#turn(state);
  }

  /** Open it again, now or as soon as the last time is long enough ago; say so at once. */
  #again() {
    const now = performance.now();
    if (this.state !== "lost") this.#turn("lost");
    if (now - this.#restarted < RESTART_EVERY_MS) return;
    this.#restarted = now;
    void this.start();
  }

  #watch() {
    if (!["open", "black", "lost"].includes(this.state) || document.hidden) return;
    const now = performance.now();
    const track = this.#track();
    if (this.#video.currentTime !== this.#clock) this.#moved = now;
    this.#clock = this.#video.currentTime;
    if (!track?.muted) this.#heard = now;
    const dead = track?.readyState !== "live" || now - this.#heard > SILENT_MS || now - this.#moved > FROZEN_MS;
    if (dead) return this.#again();
    if (now - this.#told > TOLD_WITHIN_MS && this.#isLit()) this.#lit = now;
    const black = now - this.#lit;
    if (black > BLACK_LONG_MS && now - this.#restarted >= RESTART_BLACK_EVERY_MS) return this.#again();
    const state = black > BLACK_MS ? "black" : "open";
    if (state !== this.state) this.#turn(state);
  }

  #isLit() {
    if (!this.#eye) return true;
    this.#eye.drawImage(this.#video, 0, 0, 16, 16);
    return this.#eye.getImageData(0, 0, 16, 16).data.some((value, i) => i % 4 !== 3 && value > DARK);
  }

  async #count() {
    const found = await navigator.mediaDevices?.enumerateDevices?.().catch(() => []);
    this.all = (found ?? []).filter((each) => each.kind === "videoinput" && each.deviceId);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {CameraState} state */
  #turn(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/**
 * What the camera calls the whole picture: 1 for most, 100 for some.
 * @param {Span} zoom
 */
function unit(zoom) {
  return zoom.min >= 50 ? zoom.min : Math.max(zoom.min, Math.min(1, zoom.max));
}
