/* The part of uploading that every list loads: it waits for files to be dropped.
 *
 * All else is loaded when something is, when a field for files asks for it, or when this browser
 * remembers an upload into this folder that was not finished. It keeps no secret.
 */

const panel = document.querySelector("[data-uploads]");
const { kind, user, folder, words, client, styles } = panel.dataset;
const zone = document.querySelector(".drop") ?? document.querySelector("main");
const hint = document.getElementById("drop-hint");

function fetched(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", reject);
    document.head.append(element);
  });
}

const script = (src) => fetched(Object.assign(document.createElement("script"), { src }));
const style = (href) =>
  fetched(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));

async function load() {
  await Promise.all([script(words), script(client), style(styles)]);
  return import("./main.js");
}

let loading = null;

/** Everything else; asked for anew after a failure. */
function rest() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

function complain() {
  panel.hidden = false;
  panel.querySelector('[data-part="broken"]').hidden = false;
}

function over(whether) {
  zone.classList.toggle("over", whether);
  hint.hidden = !whether;
}

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  over(true);
  rest().catch(() => {});
});

addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) over(false);
});

addEventListener("drop", async (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  over(false);
  // They can be asked for in this very moment alone.
  const found = [...event.dataTransfer.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => {
      const entry = item.webkitGetAsEntry?.();
      return entry?.isDirectory ? entry : item.getAsFile();
    })
    .filter(Boolean);
  try {
    (await rest()).dropped(found);
  } catch {
    complain();
  }
});

function remembers() {
  return Object.keys(localStorage).some((key) => {
    if (!key.startsWith(`tus::securestore/${user}/`)) return false;
    try {
      return (JSON.parse(localStorage[key]).metadata.folder ?? "") === folder;
    } catch {
      return false;
    }
  });
}

// Without it the form of the upload page works by itself.
if (kind === "upload" || remembers()) rest().catch(() => {});
