// @ts-check
/**
 * A camera that stays open: restarted after sleep, when its track ends, when it freezes and when it goes black.
 *
 * Says how it is by "change" events. Knows nothing of codes.
 */

/** @typedef {"closed" | "starting" | "open" | "refused" | "absent" | "busy" | "insecure"} CameraState */

const WATCH_MS = 1000;
/** A lens in a pocket is black too: wait, and do not restart over and over. */
const BLACK_MS = 6000;
const FROZEN_MS = 4000;
const RESTART_EVERY_MS = 15_000;
const DARK = 6;

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
  #wanted = false;
  #video;
  /** @type {MediaStream | null} */
  #stream = null;
  #eye = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  #lit = 0;
  #moved = 0;
  #clock = -1;
  #restarted = -Infinity;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    super();
    this.#video = video;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#close("closed");
      else if (this.#wanted && this.state !== "refused") void this.start();
    });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => {
      if (this.state === "absent" || this.state === "busy") void this.start();
    });
    setInterval(() => this.#watch(), WATCH_MS);
  }

  async start() {
    this.#wanted = true;
    if (this.state === "starting" || document.hidden) return;
    this.#close("starting");
    if (!navigator.mediaDevices) return this.#turn("insecure");
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      if (document.hidden) return this.#drop(stream);
      await this.#show(stream);
    } catch (fault) {
      this.#close(FAULTS[fault instanceof Error ? fault.name : ""] ?? "busy");
    }
  }

  /** Whether the lamp is on; null when there is none to switch. */
  get torch() {
    const track = this.#track();
    const can = /** @type {{torch?: boolean} | undefined} */ (track?.getCapabilities?.());
    const has = /** @type {{torch?: boolean} | undefined} */ (track?.getSettings?.());
    return can?.torch ? Boolean(has?.torch) : null;
  }

  /** @param {boolean} on */
  async light(on) {
    const torch = /** @type {MediaTrackConstraintSet} */ ({ torch: on });
    await this.#track()?.applyConstraints({ advanced: [torch] }).catch(() => undefined);
    this.dispatchEvent(new Event("change"));
  }

  #track() {
    return this.#stream?.getVideoTracks()[0];
  }

  /** @param {MediaStream} stream */
  async #show(stream) {
    this.#stream = stream;
    this.#video.srcObject = stream;
    this.#track()?.addEventListener("ended", () => this.#again());
    await this.#video.play();
    this.#lit = this.#moved = performance.now();
    this.#turn("open");
  }

  /** @param {MediaStream} stream */
  #drop(stream) {
    for (const track of stream.getTracks()) track.stop();
    this.#turn("closed");
  }

  /** @param {CameraState} state */
  #close(state) {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
    this.#turn(state);
  }

  #again() {
    const now = performance.now();
    if (now - this.#restarted < RESTART_EVERY_MS) return;
    this.#restarted = now;
    void this.start();
  }

  #watch() {
    if (this.state !== "open" || document.hidden) return;
    const now = performance.now();
    if (this.#video.currentTime !== this.#clock) this.#moved = now;
    this.#clock = this.#video.currentTime;
    if (this.#isLit()) this.#lit = now;
    const ended = this.#track()?.readyState !== "live";
    if (ended || now - this.#moved > FROZEN_MS || now - this.#lit > BLACK_MS) this.#again();
  }

  #isLit() {
    if (!this.#eye) return true;
    this.#eye.drawImage(this.#video, 0, 0, 16, 16);
    return this.#eye.getImageData(0, 0, 16, 16).data.some((value, i) => i % 4 !== 3 && value > DARK);
  }

  /** @param {CameraState} state */
  #turn(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
