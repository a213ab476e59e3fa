// @ts-check
/** Where the phone says it is, with its accuracy, once it is allowed. A scan never waits for it. */

/** @typedef {"off" | "asking" | "on" | "refused" | "lost"} Locating */
/** @typedef {{lat: number, lon: number, accuracy_m: number}} Position */

const FRESH_MS = 120_000;

export class Locator extends EventTarget {
  /** @type {Locating} */
  state = "off";
  /** @type {GeolocationPosition | null} */
  #fix = null;
  /** @type {number | null} */
  #watch = null;

  /** Go on without asking where it was allowed before. */
  async resume() {
    const permission = await navigator.permissions?.query({ name: "geolocation" }).catch(() => null);
    if (permission?.state === "granted") this.start();
    if (permission?.state === "denied") this.#turn("refused");
  }

  start() {
    if (this.#watch !== null) return;
    if (!navigator.geolocation) return this.#turn("refused");
    this.#turn("asking");
    this.#watch = navigator.geolocation.watchPosition(
      (fix) => {
        this.#fix = fix;
        this.#turn("on");
      },
      (fault) => {
        if (fault.code === fault.PERMISSION_DENIED) this.stop("refused");
        else if (!this.#fix) this.#turn("lost");
      },
      { enableHighAccuracy: true, maximumAge: 30_000, timeout: 20_000 },
    );
  }

  /** @param {Locating} [state] */
  stop(state = "off") {
    if (this.#watch !== null) navigator.geolocation.clearWatch(this.#watch);
    this.#watch = null;
    this.#fix = null;
    this.#turn(state);
  }

  /**
   * The last position, unless it is too old to stand for this moment.
   * @returns {Position | undefined}
   */
  now() {
    if (!this.#fix || Date.now() - this.#fix.timestamp > FRESH_MS) return undefined;
    const { latitude, longitude, accuracy } = this.#fix.coords;
    return { lat: latitude, lon: longitude, accuracy_m: Math.ceil(accuracy) };
  }

  /** @param {Locating} state */
  #turn(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
