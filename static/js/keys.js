/* Keys that are shown: copying them, saving them as files, and a warning to who leaves without.
 *
 * Without this script the pages work by themselves: a key is text to be selected, its file comes
 * from the server. It keeps no key anywhere: the page is the only place where one is.
 */

/** A file to be saved, made here: the server may have forgotten the key by now. */
function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

async function copy(button, secret) {
  const label = button.firstChild;
  try {
    await navigator.clipboard.writeText(secret.textContent);
    label.textContent = "Copied";
  } catch {
    // No permission, or not HTTPS: at least it is one keystroke from there.
    select(secret);
    label.textContent = "Selected: press Ctrl+C";
  }
  button.setAttribute("aria-live", "polite");
  setTimeout(() => (label.textContent = "Copy"), 4_000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button, button.closest(".key").querySelector("[data-key]"));
});

document.addEventListener("submit", (event) => {
  // Where upload.js has taken it over, the page stays.
  if (event.defaultPrevented) return;
  if (event.target.matches("[data-saved]")) return (confirmed = true);
  if (!event.target.matches("[data-key-file]")) return;
  event.preventDefault();
  const secret = event.target.closest(".key").querySelector("[data-key]");
  // The server has the one rule of names.
  save(secret.dataset.fileName, `${secret.textContent}\n`);
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

let confirmed = false;

addEventListener("beforeunload", (event) => {
  const shown = document.querySelector("[data-keys]:not([hidden]) [data-key]");
  if (shown && !confirmed) event.preventDefault();
});
