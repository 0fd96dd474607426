/* Files whose key their owner keeps: giving them their passphrase, or showing their keys.
 *
 * What is shown stays until it was confirmed that it was saved; ../keys.js copies and saves it.
 */

import "../keys.js";
import { announce } from "./announcer.js";
import { page, post } from "./requests.js";
import { gettext } from "./words.js";

export const HELD = "held";

const section = document.getElementById("new-keys");
// Not there where people without an account send files: the server keeps the keys of these.
const confirmation = section?.querySelector("[data-saved]");
const template = document.getElementById("new-key")?.content.firstElementChild;

/** The name of the file for a key, as the server's rule has it; percent-encoded, since a header is ASCII. */
export function keyFileName(header) {
  return header ? decodeURIComponent(header) : "file.key";
}

/** Give a new file its passphrase, or show its key; returns what to say of it. */
export async function keep(id, key, name, saveAs, passphrase) {
  if (passphrase) {
    const fields = { passphrase, passphrase_again: passphrase };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        const answer = await post(`${page.files}${id}/key/passphrase/`, fields);
        if (answer.status === 204) return gettext("with your passphrase");
      } catch {
        // The connection; the key below is as good.
      }
    }
  }
  if (!key) return gettext("whose key is on its page");
  showKey(id, key, name, saveAs);
  if (passphrase) return gettext("with a key: the passphrase could not be set");
  return gettext("and you keep its key");
}

export function showKey(id, key, name, saveAs) {
  const item = template.cloneNode(true);
  for (const place of item.querySelectorAll("[data-name]")) place.textContent = name;
  item.querySelector("a").href = `${page.files}${id}/`;
  item.dataset.file = id;
  const secret = item.querySelector("[data-key]");
  secret.textContent = key;
  secret.dataset.fileName = saveAs;
  section.querySelector("ul").append(item);
  confirmation.elements.namedItem("saved").checked = false;
  section.querySelector("[data-together]").hidden = section.querySelectorAll("[data-key]").length < 2;
  const first = section.hidden;
  section.hidden = false;
  if (first) section.scrollIntoView({ block: "nearest" });
}

confirmation?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const items = [...section.querySelectorAll("[data-file]")];
  const fields = [["saved", "yes"], ...items.map((item) => ["file", item.dataset.file])];
  const problem = confirmation.querySelector(".problem");
  try {
    const answer = await post(page.keysSaved, fields);
    if (answer.status !== 204) throw new Error(String(answer.status));
    for (const item of items) item.remove();
    section.hidden = !section.querySelector("[data-file]");
    problem.hidden = true;
    announce(gettext("Only you have the keys now."));
  } catch {
    problem.textContent = gettext(
      "The server could not be told. Try again; the keys stay here until then.",
    );
    problem.hidden = false;
  }
});

/** What is wrong with the passphrase that was typed, in words; empty where nothing is. */
export async function judged(passphrase, again) {
  if (passphrase !== again) return gettext("The two passphrases differ: type both again.");
  const answer = await post(page.judge, { passphrase, passphrase_again: again });
  if (answer.status === 204) return "";
  if (answer.status === 400) return (await answer.text()).trim();
  return gettext("You are no longer signed in. Sign in again in another tab first.");
}
