// @ts-check
/** Ticking all rows at once, and a button that says how many are ticked. Without it boxes are boxes. */

for (const form of document.querySelectorAll("form[data-ticks]")) {
  const rows = document.querySelector(`[data-rows="${form.id}"]`);
  const all = form.querySelector("[data-all]");
  const act = form.querySelector("button");
  if (!rows || !(all instanceof HTMLElement) || !act) continue;
  const one = /** @type {HTMLInputElement} */ (all.querySelector("input"));
  const boxes = /** @type {HTMLInputElement[]} */ ([...rows.querySelectorAll(`input[type="checkbox"][form="${form.id}"]`)]);
  const count = document.createElement("b");
  count.className = "number";
  act.append(count);

  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    count.textContent = ticked ? `(${ticked})` : "";
    one.checked = ticked === boxes.length;
    one.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  one.addEventListener("change", () => {
    for (const box of boxes) box.checked = one.checked;
    tell();
  });
  rows.addEventListener("change", tell);
  all.hidden = boxes.length < 2;
  tell();
}
