/* Choosing in a list: all of a page, a range with Shift, row by row with the arrows, none with Escape.
 *
 * Without this script the boxes and buttons work by themselves. Words come from the page.
 */

for (const form of document.querySelectorAll("form[data-chosen]")) choosing(form);

// A list that was loaded anew beside uploads.
addEventListener("refreshed", (event) => {
  for (const form of event.target.querySelectorAll("form[data-chosen]")) choosing(form);
});

function choosing(form) {
  const acts = form.querySelector("[data-acts]");
  const count = form.querySelector("[data-count]");
  const all = addAll(form);
  let last = null;

  const boxes = () => [...form.querySelectorAll("td.pick input")];

  function show() {
    const found = boxes();
    const chosen = found.filter((box) => box.checked).length;
    for (const box of found) box.closest("tr").classList.toggle("is-chosen", box.checked);
    for (const button of acts.querySelectorAll("button")) button.disabled = !chosen;
    acts.classList.toggle("is-open", chosen > 0);
    all.checked = chosen > 0 && chosen === found.length;
    all.indeterminate = chosen > 0 && chosen < found.length;
    const words = chosen === 1 ? count.dataset.one : count.dataset.many.replace("#", chosen);
    count.textContent = chosen ? words : "";
  }

  /** Give all from the last one that was chosen to this one the same as this one. */
  function stretch(box) {
    const found = boxes();
    const [from, to] = [found.indexOf(last), found.indexOf(box)].sort((a, b) => a - b);
    if (from < 0) return;
    for (const one of found.slice(from, to + 1)) one.checked = box.checked;
  }

  let withShift = false;
  form.addEventListener("click", (event) => (withShift = event.shiftKey), true);

  form.addEventListener("change", (event) => {
    const box = event.target;
    if (box === all) for (const one of boxes()) one.checked = all.checked;
    else if (box.matches("td.pick input")) {
      if (withShift && last) stretch(box);
      last = box;
    }
    show();
  });

  // A click beside a link chooses the row, as its box would.
  form.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a, button, input, label") || getSelection().toString()) return;
    row.querySelector("td.pick input").click();
  });

  form.addEventListener("keydown", (event) => {
    if (!event.target.matches(".pick input")) return;
    const found = [all, ...boxes()];
    const here = found.indexOf(event.target);
    const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: found.length - 1 }[event.key];
    if (event.key === " " && event.shiftKey && last) {
      event.preventDefault();
      event.target.checked = !event.target.checked;
      stretch(event.target);
      last = event.target;
      show();
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      for (const one of boxes()) one.checked = true;
      show();
    } else if (event.key === "Escape") {
      for (const one of boxes()) one.checked = false;
      show();
    } else if (next !== undefined && found[next]) {
      event.preventDefault();
      found[next].focus();
    }
  });

  // A browser that comes back to the page has the boxes as they were left.
  addEventListener("pageshow", show);
  show();
}

/** The box in the head, for all of the page. */
function addAll(form) {
  const head = form.querySelector("th.pick");
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", form.dataset.all);
  label.append(box);
  head.append(label);
  return box;
}
