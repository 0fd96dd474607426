// The administration: what Django's scripts put in the place of a field gets the field's name.
// Everything works without it.

const labelOf = (field) => {
  const label = field.labels?.[0]?.textContent.trim().replace(/:$/, "");
  if (label) return label;
  // In a table the header has the word.
  const cell = field.closest("td");
  const header = cell?.closest("table")?.tHead?.rows[0]?.cells[cell.cellIndex];
  return header?.textContent.trim() ?? field.name;
};

const name = (root) => {
  for (const field of root.querySelectorAll("select.select2-hidden-accessible")) {
    const box = field.nextElementSibling?.querySelector(".select2-selection");
    if (!box) continue;
    const word = labelOf(field);
    const shown = box.querySelector(".select2-selection__rendered");
    box.removeAttribute("aria-labelledby");
    box.setAttribute("aria-label", shown?.title ? `${word}: ${shown.title}` : word);
    // What is chosen is the text of a box that is none to type into.
    for (const odd of ["role", "aria-readonly", "aria-label"]) {
      shown?.removeAttribute(odd);
    }
  }
  for (const tip of root.querySelectorAll(".help-tooltip[aria-label]")) tip.setAttribute("role", "img");
  for (const field of root.querySelectorAll(".tabular td :is(input, select, textarea)")) {
    if (field.type !== "hidden" && !field.labels?.length && !field.ariaLabel) field.ariaLabel = labelOf(field);
  }
};

const $ = globalThis.django?.jQuery;
$?.(() => name(document)); // After Django's own, which were here before.
$?.(document).on("select2:open", (event) => {
  document.querySelector("input.select2-search__field")?.setAttribute("aria-label", labelOf(event.target));
});
$?.(document).on("change.select2 select2:select", () => name(document));
addEventListener("load", () => name(document));
document.addEventListener("formset:added", (event) => name(event.target));
