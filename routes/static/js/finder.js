// @ts-check
/** The finder and its tools: what the camera sees becomes codes; lamp, sound and position are switched here. */

import { Camera } from "./camera.js";
import { watch } from "./decoder.js";
import { button, draw, one, part } from "./page.js";
import { Locator } from "./position.js";
import { Seen } from "./seen.js";
import { give, isLoud, setLoud } from "./signals.js";
import { say } from "./words.js";

const seen = new Seen();
export const locator = new Locator();

/** Where the picture goes on while something is said over it. */
const SHOWN = ["open", "black"];
/** What mends itself, and what no button can mend. */
const WITHOUT_BUTTON = ["open", "starting", "insecure"];

/**
 * Open the camera and keep it open.
 * @param {(codes: string[]) => void} onCodes told of each label once, those of one picture together; the likeliest meant first
 */
export function openFinder(onCodes) {
  const video = one("[data-video]", HTMLVideoElement);
  const camera = new Camera(video);
  let [reading, undecodable] = [false, false];

  const show = () => {
    const { state } = camera;
    part("[data-finder]").dataset.state = state;
    const silent = state === "open" && !undecodable;
    const sentence = silent ? "" : say(state === "open" ? "decoder_missing" : `camera_${state}`);
    part("[data-veil]").hidden = silent;
    part("[data-veil]").toggleAttribute("data-thin", SHOWN.includes(state));
    if (part("[data-camera-says]").textContent !== sentence) part("[data-camera-says]").textContent = sentence;
    button("[data-camera-again]").hidden = WITHOUT_BUTTON.includes(state);
    showLens(camera);
  };
  camera.addEventListener("change", () => {
    show();
    if (reading || camera.state !== "open") return;
    reading = true;
    /** @param {string[]} codes */
    const inPicture = (codes) => {
      const news = seen.news(codes, performance.now());
      if (news.length) onCodes(news);
    };
    /** @param {boolean} well */
    const health = (well) => {
      undecodable = !well;
      show();
    };
    void watch(video, inPicture, health, (lit) => camera.see(lit));
  });
  button("[data-camera-again]").addEventListener("click", () => void camera.start());
  button("[data-torch]").addEventListener("click", () => void camera.light(!camera.torch));
  button("[data-zoom]").addEventListener("click", () => void camera.closer());
  button("[data-camera-other]").addEventListener("click", () => void camera.change());
  openTools();
  void camera.start();
}

/**
 * Only what this camera can do is offered.
 * @param {Camera} camera
 */
function showLens({ torch, zoom, all, state, name }) {
  button("[data-torch]").hidden = torch === null;
  button("[data-torch]").setAttribute("aria-pressed", String(torch === true));
  const times = String(Math.round((zoom ?? 1) * 10) / 10).replace(".", say("decimal"));
  const nearer = button("[data-zoom]");
  nearer.hidden = zoom === null;
  part("span", nearer).textContent = `${times}×`;
  nearer.setAttribute("aria-label", say("zoom", { times }));
  const other = button("[data-camera-other]");
  other.hidden = all.length < 2 || !SHOWN.includes(state);
  other.title = name;
}

function openTools() {
  // The page may come from this phone's own store, made before the colours were chosen.
  showSun(/(?:^|; )look=sun/.test(document.cookie));
  button("[data-sun]").addEventListener("click", () => {
    const sunny = document.documentElement.dataset["look"] !== "sun";
    document.cookie = `look=${sunny ? "sun" : "plain"}; path=/; max-age=${365 * 86_400}; samesite=lax`;
    showSun(sunny);
  });
  button("[data-sound]").addEventListener("click", () => {
    setLoud(!isLoud());
    showSound();
    give("read");
  });
  button("[data-locate]").addEventListener("click", () => {
    if (locator.state === "on" || locator.state === "asking") locator.stop();
    else locator.start();
  });
  locator.addEventListener("change", showPosition);
  showSound();
  showPosition();
  void locator.resume();
}

/** @param {boolean} sunny */
function showSun(sunny) {
  if (sunny) document.documentElement.dataset["look"] = "sun";
  else delete document.documentElement.dataset["look"];
  button("[data-sun]").setAttribute("aria-pressed", String(sunny));
}

function showSound() {
  const toggle = button("[data-sound]");
  toggle.setAttribute("aria-pressed", String(isLoud()));
  toggle.title = say(isLoud() ? "sound_on" : "sound_off");
  draw(toggle, isLoud() ? "sound" : "muted");
}

function showPosition() {
  const { state } = locator;
  const toggle = button("[data-locate]");
  toggle.dataset.state = state;
  toggle.setAttribute("aria-pressed", String(state === "on"));
  toggle.title = state === "refused" ? say("locate_refused_text") : "";
  part("[data-locate-says]").textContent = say(`locate_${state}`, { metres: locator.now()?.accuracy_m ?? "?" });
}
