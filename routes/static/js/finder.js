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

/** @param {(code: string) => void} onCode told of each label once */
export function openFinder(onCode) {
  const video = one("[data-video]", HTMLVideoElement);
  const camera = new Camera(video);
  /** @param {string[]} codes */
  const inPicture = (codes) => {
    const now = performance.now();
    const news = codes.filter((code) => seen.isNews(code, now));
    if (news[0] !== undefined) onCode(news[0]);
  };
  let reading = false;
  camera.addEventListener("change", () => {
    const finder = part("[data-finder]");
    finder.dataset.state = camera.state;
    const open = camera.state === "open";
    part("[data-veil]").hidden = open;
    part("[data-camera-says]").textContent = open ? "" : say(`camera_${camera.state}`);
    button("[data-camera-again]").hidden = open || camera.state === "starting" || camera.state === "insecure";
    button("[data-torch]").hidden = camera.torch === null;
    button("[data-torch]").setAttribute("aria-pressed", String(camera.torch === true));
    if (open && !reading) reading = Boolean(watch(video, inPicture, undecodable));
  });
  button("[data-camera-again]").addEventListener("click", () => void camera.start());
  button("[data-torch]").addEventListener("click", () => void camera.light(!camera.torch));
  openTools();
  void camera.start();
}

function undecodable() {
  part("[data-veil]").hidden = false;
  part("[data-camera-says]").textContent = say("decoder_missing");
}

function openTools() {
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
