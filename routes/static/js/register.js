// @ts-check
/**
 * What the order's form does by itself: a procedure's papers, lines, the nearest office.
 * The form works without it; each of these is also a button that sends it back.
 */

import { one } from "./page.js";
import { money, say } from "./words.js";

/**
 * @typedef {{name: string, name_en: string, originals: number, copies: number}} Paper
 * @typedef {{code: string, days: number, fee: number, in_person: boolean, takes_back_old: boolean, papers: Paper[]}} Procedure
 * @typedef {{ward_name: string, source: string, accuracy_m: number, offices: {code: string, name: string, distance_m: number}[]}} Located
 */

const form = one("[data-order]", HTMLFormElement);
const english = form.dataset.lang === "en";

/** @param {string} name */
const value = (name) => {
  const field = form.elements.namedItem(name);
  return field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof RadioNodeList
    ? field.value
    : "";
};

/**
 * @template T
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
async function ask(path, signal) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, signal: signal ?? null });
  const told = await answer.json();
  if (!answer.ok) throw new Refusal(told.detail);
  return told;
}

/** What the server would not do; its sentence is for the reader. */
class Refusal extends Error {}

// Papers

const papers = one("[data-papers]", HTMLElement);
const lines = one("[data-lines]", HTMLOListElement, papers);
const sum = one("[data-sum]", HTMLElement, papers);
const add = one("[data-add]", HTMLButtonElement, papers);
const most = Number(papers.dataset.most);
/** What the list looked like when we filled it: only a list nobody touched is replaced. */
let filled = "";

/** @returns {HTMLLIElement} */
function emptyLine() {
  const first = one("#paper-line", HTMLTemplateElement).content.firstElementChild;
  if (!(first instanceof HTMLLIElement)) throw new Error("The page has no line to copy");
  return /** @type {HTMLLIElement} */ (first.cloneNode(true));
}

const shown = () => /** @type {HTMLLIElement[]} */ ([...lines.children]);

/** @param {HTMLLIElement} line @param {string} name */
const field = (line, name) => one(`[data-part="${name}"]`, HTMLInputElement, line);

const written = () =>
  JSON.stringify(
    shown()
      .map((line) => ["name", "originals", "copies"].map((name) => field(line, name).value.trim()))
      .filter((parts) => parts.some((part) => part !== "" && part !== "0")),
  );

/** Number the lines anew, and say how many sheets they make. */
function number() {
  shown().forEach((line, at) => {
    line.id = `papers.${at}`;
    for (const name of ["name", "originals", "copies"]) {
      const input = field(line, name);
      const label = line.querySelector(`label[for="${CSS.escape(input.id)}"]`);
      input.id = input.name = `papers.${at}.${name}`;
      label?.setAttribute("for", input.id);
    }
    one("[data-remove]", HTMLButtonElement, line).hidden = false;
  });
  add.disabled = shown().length >= most;
  count();
}

function count() {
  /** @param {string} name */
  const total = (name) =>
    shown().reduce((all, line) => all + (Number.parseInt(field(line, name).value, 10) || 0), 0);
  const [originals, copies] = [total("originals"), total("copies")];
  sum.textContent = originals + copies ? say("sum", { originals, copies }) : "";
}

/** @param {Paper[]} list */
function fill(list) {
  const made = list.map((paper) => {
    const line = emptyLine();
    const both = english && paper.name_en && paper.name_en !== paper.name;
    field(line, "name").value = both ? `${paper.name} (${paper.name_en})` : paper.name;
    field(line, "originals").value = String(paper.originals);
    field(line, "copies").value = String(paper.copies);
    return line;
  });
  lines.replaceChildren(...(made.length ? made : [emptyLine()]));
  number();
  filled = written();
}

add.addEventListener("click", (event) => {
  event.preventDefault();
  const line = emptyLine();
  lines.append(line);
  number();
  field(line, "name").focus();
});

lines.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-remove]") : null;
  const line = button?.closest("li");
  if (!line) return;
  const neighbour = line.nextElementSibling ?? line.previousElementSibling;
  line.remove();
  if (!lines.children.length) lines.append(emptyLine());
  number();
  // The focus must not fall back to the top of the page.
  const next = neighbour instanceof HTMLLIElement ? neighbour : shown()[0];
  if (next) field(next, "name").focus();
});

lines.addEventListener("input", count);

// The procedure

const procedure = one("[data-procedure]", HTMLSelectElement);
const notes = one("[data-procedure-notes]", HTMLElement);
const fillButton = one("[data-fill]", HTMLButtonElement);

/** @param {string} text @param {boolean} [strong] */
function note(text, strong = false) {
  const line = document.createElement("p");
  line.className = "hint";
  const inner = strong ? line.appendChild(document.createElement("b")) : line;
  inner.textContent = text;
  return line;
}

/** @returns {Promise<Procedure | undefined>} */
async function chosen() {
  const code = procedure.value;
  if (!code) return undefined;
  /** @type {Procedure[]} */
  const found = await ask(`/api/procedures?code=${encodeURIComponent(code)}`);
  // Someone may have gone on choosing while we asked.
  return code === procedure.value ? found[0] : undefined;
}

procedure.addEventListener("change", async () => {
  notes.replaceChildren();
  const found = await chosen().catch(() => undefined);
  if (!found) return;
  notes.append(
    note(`${say("days", { days: found.days })} · ${found.fee ? say("fee", { fee: money(found.fee) }) : say("free")}`),
  );
  if (found.in_person) notes.append(note(say("in_person"), true));
  if (found.takes_back_old) notes.append(note(say("takes_back_old"), true));
  const now = written();
  if (now === filled || now === "[]") fill(found.papers);
});

fillButton.addEventListener("click", async (event) => {
  event.preventDefault();
  const found = await chosen().catch(() => undefined);
  if (found) fill(found.papers);
  else procedure.focus();
});

// The nearest office

const preview = one("[data-preview]", HTMLElement);
const office = one("[data-office]", HTMLSelectElement);
const nearest = one("option[value='']", HTMLOptionElement, office);
const look = one("[data-look]", HTMLButtonElement);
const kilometres = new Intl.NumberFormat(english ? "en-GB" : "vi-VN", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
/** @type {AbortController | undefined} */
let asking;
let asked = "";

/** Whose address the post goes to first. */
function start() {
  const other = value("service") === "receive" ? "recipient" : "filer";
  const ticked = form.elements.namedItem(other);
  return ticked instanceof HTMLInputElement && ticked.checked ? other : "owner";
}

async function locate() {
  const part = start();
  const [address, ward] = [value(`${part}.address`).trim(), value(`${part}.ward`)];
  const query = new URLSearchParams({ address, ward }).toString();
  if ((!address && !ward) || query === asked) return;
  asked = query;
  asking?.abort();
  asking = new AbortController();
  preview.replaceChildren(note(say("looking")));
  try {
    show(await ask(`/api/places/locate?${query}`, asking.signal));
  } catch (fault) {
    if (fault instanceof DOMException && fault.name === "AbortError") return;
    nearest.textContent = say("any");
    preview.replaceChildren(note(fault instanceof Refusal ? fault.message : say("unreachable")));
    asked = "";
  }
}

/** @param {Located} found */
function show(found) {
  const [first] = found.offices;
  preview.replaceChildren();
  if (first) {
    nearest.textContent = say("nearest", { office: first.name });
    const line = document.createElement("p");
    line.append(
      Object.assign(document.createElement("b"), { textContent: first.name }),
      ` · ${first.distance_m < 1000 ? say("near") : say("distance", { km: kilometres.format(first.distance_m / 1000) })}`,
    );
    preview.append(line);
  }
  preview.append(
    note(
      say("position", {
        ward: found.ward_name,
        source: say(found.source),
        km: kilometres.format(found.accuracy_m / 1000),
      }),
    ),
  );
}

form.addEventListener("change", (event) => {
  const where = event.target;
  if (where instanceof HTMLElement && ("place" in where.dataset || "service" in where.dataset)) locate();
});

look.addEventListener("click", (event) => {
  event.preventDefault();
  asked = "";
  locate();
});
// What is typed is looked up by itself now.
look.hidden = true;

number();
filled = written();
