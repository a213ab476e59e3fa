// @ts-check
/**
 * What a carrier hears and feels without looking: read, good, remark, wrong.
 *
 * Pitch, length and rhythm all differ, so that a small loudspeaker in the street keeps them apart.
 */

/** @typedef {"read" | "good" | "remark" | "wrong"} Signal */

/** Notes as [start s, length s, Hz, wave]. @type {Record<Signal, [number, number, number, OscillatorType][]>} */
const TUNES = {
  read: [[0, 0.05, 1250, "sine"]],
  good: [[0, 0.09, 880, "sine"], [0.1, 0.17, 1320, "sine"]],
  remark: [[0, 0.14, 620, "triangle"], [0.2, 0.14, 620, "triangle"], [0.4, 0.14, 620, "triangle"]],
  wrong: [[0, 0.55, 165, "sawtooth"], [0, 0.55, 175, "sawtooth"]],
};

/** @type {Record<Signal, number[]>} */
const SHAKES = { read: [25], good: [90], remark: [90, 70, 90, 70, 90], wrong: [450, 120, 450] };

const KEY = "scan.sound";

/** @type {AudioContext | null} */
let audio = null;

/** Browsers let a page sound only after it was touched. */
function wake() {
  audio ??= new AudioContext();
  if (audio.state === "suspended") void audio.resume();
}
for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, wake, { capture: true, passive: true });

export function isLoud() {
  return localStorage.getItem(KEY) !== "off";
}

/** @param {boolean} loud */
export function setLoud(loud) {
  localStorage.setItem(KEY, loud ? "on" : "off");
}

/** @param {Signal} signal */
export function give(signal) {
  // Vibration before any touch is refused with a warning in the console, so it is not tried.
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(SHAKES[signal]);
  if (!isLoud() || audio?.state !== "running") return;
  for (const [start, length, pitch, wave] of TUNES[signal]) note(audio, start, length, pitch, wave);
}

/**
 * @param {AudioContext} audio
 * @param {number} start
 * @param {number} length
 * @param {number} pitch
 * @param {OscillatorType} wave
 */
function note(audio, start, length, pitch, wave) {
  const from = audio.currentTime + start;
  const voice = new OscillatorNode(audio, { type: wave, frequency: pitch });
  const volume = new GainNode(audio, { gain: 0 });
  // Risen and fallen softly: an abrupt edge clicks.
  volume.gain.setValueAtTime(0, from);
  volume.gain.linearRampToValueAtTime(0.5, from + 0.01);
  volume.gain.setValueAtTime(0.5, from + length - 0.02);
  volume.gain.linearRampToValueAtTime(0, from + length);
  voice.connect(volume).connect(audio.destination);
  voice.start(from);
  voice.stop(from + length);
}
