/* Uploading on this page: takes what is dropped and chosen, and the form of the upload page over.
 *
 * Without scripts that form works by itself. Nothing here keeps a secret in the browser.
 */

import { announce } from "./announcer.js";
import { Batch } from "./batch.js";
import { HELD, judged } from "./kept.js";
import { refresh } from "./list.js";
import { MANAGED, RENAME, offerAll } from "./offers.js";
import { page, panel, post } from "./requests.js";
import { Row } from "./row.js";
import { chosen, unfolded } from "./tree.js";
import { fill, gettext } from "./words.js";

const form = document.querySelector("form[data-upload-form]");
/** The page of a request, for people without an account: its form has files alone. */
const outside = form && !form.elements.namedItem("custody");
const batch = new Batch(settled);

/** All is stored: what is new is shown, or a link leads to it. */
async function settled() {
  const link = panel.querySelector('[data-part="changed"]');
  if (outside) link.hidden = false; // It leads to the receipt.
  if (form) return;
  link.hidden = await refresh();
}

/** A line of the list for a folder that does not come along, and why. */
function failed(path, text) {
  const row = new Row(path);
  row.say("failed", "");
  row.bar.hidden = true;
  row.complain(text);
  row.close(fill(gettext("Remove %(name)s"), { name: path }), () => {
    row.remove();
    batch.changed();
  });
  announce(`${path}: ${text}`);
}

/** Folders without a file in them are made by themselves: nothing else would bring them. */
async function make(paths) {
  for (const path of paths) {
    try {
      const answer = await post(page.makeFolders, { path });
      if (answer.ok) batch.made();
      else if (answer.type === "opaqueredirect" || !answer.status) throw new Error();
      else failed(path, (await answer.text()).trim());
    } catch {
      failed(path, gettext("The folder could not be made: the server cannot be reached. Drop it again."));
    }
  }
  batch.advance();
}

/** Files and folders that were dropped. They are on their way at once. */
export async function dropped(found) {
  const { items, empty, unread } = await unfolded(found);
  for (const path of unread) failed(path, gettext("This browser could not read it."));
  if (items.length) await begin(items);
  await make(empty);
}

// --- The form of the upload page -----------------------------------------------------------------

/** Chosen, and not begun: something is to be put right before. */
let pending = [];

const control = (name) => form.elements.namedItem(name);

/** What the form says of the files that come now; null where it has to be put right first. */
async function options() {
  if (!form || outside) return { custody: MANAGED, conflict: RENAME, passphrase: "" };
  const custody = control("custody").value;
  const [first, second] = [control("passphrase"), control("passphrase_again")];
  let passphrase = "";
  if (custody === HELD && (first.value || second.value)) {
    passphrase = first.value;
    const wrong = await judged(passphrase, second.value).catch(() =>
      gettext("The server cannot be reached."),
    );
    first.setCustomValidity(wrong);
    if (wrong) {
      first.closest("details").open = true;
      first.reportValidity();
      return null;
    }
  }
  first.value = second.value = "";
  return { custody, conflict: control("conflict").value, passphrase };
}

async function begin(items) {
  pending.push(...items);
  const meant = await options();
  const submit = form?.querySelector("[data-submit]");
  if (submit) submit.hidden = meant !== null;
  if (!meant) return;
  const all = pending;
  pending = [];
  batch.add(all, meant);
  if (form) requestAnimationFrame(bringIntoView);
}

/** What was chosen in the form is on its way: below it, and often below the window. */
function bringIntoView() {
  const { top, height } = panel.getBoundingClientRect();
  if (top + height <= innerHeight) return;
  panel.scrollIntoView({ block: height < innerHeight ? "end" : "start" });
}

function take(field) {
  const items = chosen(field);
  field.value = "";
  if (items.length) begin(items);
}

function takeOver() {
  const field = control("files");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (pending.length || field.files.length) begin(chosen(field));
    field.value = "";
  });
  field.addEventListener("change", () => take(field));
  if (!outside) {
    const folder = form.querySelector("[data-whole-folder]");
    const input = folder.querySelector("input");
    folder.hidden = !("webkitdirectory" in input);
    input.addEventListener("change", () => take(input));
    for (const name of ["passphrase", "passphrase_again"]) {
      control(name).addEventListener("input", () => control("passphrase").setCustomValidity(""));
    }
  }
  field.required = false;
  form.querySelector("[data-submit]").hidden = true;
  // What was chosen before this script was there.
  take(field);
}

// --- The browser's connection, and leaving the page ------------------------------------------------

// What is on its way would otherwise hang until the system gives the connection up.
addEventListener("offline", () => {
  for (const transfer of batch.transfers) if (transfer.state === "running") transfer.lose();
});

addEventListener("online", () => {
  for (const transfer of batch.transfers) transfer.hurry();
});

addEventListener("beforeunload", (event) => {
  if (batch.isUnderWay || pending.length) event.preventDefault();
});

if (form) takeOver();
offerAll(batch);
