/* Keys that are shown: copying them, saving them as files, and a warning to who leaves without.
 *
 * Without this script the pages work by themselves: a key is text to be selected, its file comes
 * from the server. It keeps no key anywhere: the page is the only place where one is.
 */

import { gettext } from "./upload/words.js";

const KEYS_FILE = "securestore.keys";

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

/** One line for each key of the section, as the server's file has them: name, id, key. */
function together(section) {
  const lines = [...section.querySelectorAll(".key")].map((item) => {
    const { pathname } = item.querySelector(".name a");
    const id = pathname.split("/").at(-2);
    return [item.querySelector(".name").textContent.trim(), id, secretOf(item).textContent];
  });
  return lines.map((line) => `${line.join("\t")}\n`).join("");
}

function secretOf(item) {
  return item.querySelector("[data-key]");
}

const labels = new WeakMap();

async function copy(button, text, shown) {
  const label = button.firstChild;
  if (!labels.has(button)) labels.set(button, label.textContent);
  button.setAttribute("aria-live", "polite");
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = gettext("Copied");
  } catch {
    // No permission, or not HTTPS: at least it is one keystroke from there.
    select(shown);
    label.textContent = gettext("Selected: press Ctrl+C");
  }
  setTimeout(() => (label.textContent = labels.get(button)), 4_000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-all]");
  if (!button) return;
  if (button.hasAttribute("data-copy-all")) {
    const section = button.closest("[data-keys]");
    copy(button, together(section), section.querySelector("ul"));
  } else {
    const secret = secretOf(button.closest(".key"));
    copy(button, secret.textContent, secret);
  }
});

let confirmed = false;

document.addEventListener("submit", (event) => {
  // Where the script of uploads has taken it over, the page stays.
  if (event.defaultPrevented) return;
  if (event.target.matches("[data-saved]")) return (confirmed = true);
  if (event.target.matches("[data-keys-file]")) {
    event.preventDefault();
    save(KEYS_FILE, together(event.target.closest("[data-keys]")));
  } else if (event.target.matches("[data-key-file]")) {
    event.preventDefault();
    const secret = secretOf(event.target.closest(".key"));
    // The server has the one rule of names.
    save(secret.dataset.fileName, `${secret.textContent}\n`);
  }
});

for (const button of document.querySelectorAll("[data-copy], [data-copy-all]")) button.hidden = false;

addEventListener("beforeunload", (event) => {
  const shown = document.querySelector("[data-keys]:not([hidden]) [data-key]");
  if (shown && !confirmed) event.preventDefault();
});
