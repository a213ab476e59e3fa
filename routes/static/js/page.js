// @ts-check
/** Finding and filling the parts of a page. Knows nothing of what they mean. */

/**
 * The one element there must be, of the class it must have.
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} kind
 * @param {ParentNode} [within]
 * @returns {T}
 */
export function one(selector, kind, within = document) {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${selector}`);
  return found;
}

/**
 * @param {string} selector
 * @param {ParentNode} [within]
 */
export const part = (selector, within) => one(selector, HTMLElement, within);

/**
 * @param {string} selector
 * @param {ParentNode} [within]
 */
export const button = (selector, within) => one(selector, HTMLButtonElement, within);

/**
 * @param {string} selector
 * @param {ParentNode} [within]
 */
export const input = (selector, within) => one(selector, HTMLInputElement, within);

/**
 * A fresh copy of a <template>'s only element.
 * @param {string} id
 */
export function copy(id) {
  const first = one(`#${id}`, HTMLTemplateElement).content.firstElementChild;
  if (!first) throw new Error(`The template ${id} is empty`);
  return /** @type {HTMLElement} */ (first.cloneNode(true));
}

/** Of the same version as this script, so that it is on the phone when this is. */
const SPRITE = new URL("../icons/sprite.svg", import.meta.url).pathname;

/**
 * Show another drawing of the sprite in an <svg class="icon">.
 * @param {ParentNode} within
 * @param {string} name
 */
export function draw(within, name) {
  within.querySelector("svg.icon use")?.setAttribute("href", `${SPRITE}#${name}`);
}
