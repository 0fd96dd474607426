/* What an earlier visit left unfinished: what this browser remembers of it, and what to offer.
 *
 * It remembers a file's name, size, place and address on the server (by tus-js-client, in localStorage),
 * no secret; and the address opens for nobody but its creator.
 */

import { announce } from "./announcer.js";
import { keyFileName, showKey } from "./kept.js";
import { ask, page } from "./requests.js";
import { Row } from "./row.js";
import { fill, gettext, size } from "./words.js";

/** What becomes of a file whose name is taken there, where nobody says. */
export const RENAME = "rename";
export const MANAGED = "managed";
/** Accounts that share a browser must not meet each other's uploads. */
const owned = `securestore/${page.user}/`;
const storage = tus.defaultOptions.urlStorage;

/**
 * What unfinished uploads are looked up by: a hint, and no more. Whether one is of this file only its
 * bytes can say. An upload is only ever continued in the custody, and into the place, that it was begun
 * for.
 */
export function fingerprint(file, path, { custody, conflict }) {
  const held = custody === MANAGED ? [] : [custody];
  const usual = !page.folder && !path && conflict === RENAME;
  const place = usual ? [] : [page.folder, conflict, ...(path ? [path] : [])];
  const endpoint = new URL(page.tus, location.href).href;
  return owned + JSON.stringify([file.name, file.size, endpoint, ...held, ...place]);
}

/** What this browser remembers of this person's unfinished uploads. */
async function remembered() {
  const all = await storage.findAllUploads();
  return all.filter(({ urlStorageKey, uploadUrl }) => {
    return uploadUrl && urlStorageKey.startsWith(`tus::${owned}`);
  });
}

/** Whether an upload was begun for the folder of this page: where it goes was fixed then. */
function goesHere(metadata) {
  return (metadata.folder ?? "") === page.folder;
}

/** Unfinished uploads that may be of this file, to judge by what is not its content. */
export async function unfinished(file, path, { custody, conflict }) {
  return (await remembered()).filter(({ size: total, metadata }) => {
    const same = total === file.size && metadata.filename === file.name;
    const there = goesHere(metadata) && (metadata.path ?? "") === path;
    const meant = (metadata.conflict ?? RENAME) === conflict;
    return same && there && meant && (metadata.custody ?? MANAGED) === custody;
  });
}

/** What is remembered of the upload at an address, for tus-js-client to go on with. */
export async function rememberedAt(address) {
  return (await remembered()).find(({ uploadUrl }) => uploadUrl === address);
}

/** Forget an upload in this browser. */
export async function forget(address) {
  const entry = await rememberedAt(address);
  if (entry) await storage.removeUpload(entry.urlStorageKey);
}

/** By address; a browser cannot open the file by itself, so its owner must choose it again. */
const offers = new Map();

/** Take an offer back: it is gone on with, or gone. */
export function withdraw(address) {
  offers.get(address)?.remove();
  offers.delete(address);
}

export const count = () => offers.size;

/** `uploads` knows what is on its way, and takes what is chosen again. */
async function offer({ uploadUrl: address, size: total, metadata }, uploads) {
  // Others are offered on the pages of their folders.
  if (!goesHere(metadata)) return;
  const answer = await ask(address);
  const id = answer.headers.get("Securestore-File");
  const key = answer.headers.get("Securestore-Key");
  const { filename: name, path = "" } = metadata;
  // Complete, and the answer that said so was lost with the page.
  const saveAs = keyFileName(answer.headers.get("Securestore-Key-File"));
  if (key) showKey(id, key, name, saveAs);
  const done = Number(answer.headers.get("Upload-Offset"));
  // Who sends through a request is not told which file it has become.
  const complete = id || (!page.files && answer.ok && done === total);
  if ([404, 410].includes(answer.status) || complete) return forget(address);
  if (!answer.ok || uploads.has(address) || offers.has(address)) return;
  const row = new Row(name, path);
  const words = fill(
    gettext("Unfinished at %(done)s of %(total)s. Choose the same file again to go on."),
    { done: size(done), total: size(total) },
  );
  row.say("offered", words);
  row.show(done, total, words);
  row.toggle(gettext("Choose"), fill(gettext("Choose %(name)s"), { name }), () => {
    // It goes on only in the custody that it was begun in, and with the same choice for its name.
    const { custody = MANAGED, conflict = RENAME } = metadata;
    uploads.choose(path, { custody, conflict });
  });
  row.close(fill(gettext("Cancel upload of %(name)s"), { name }), async () => {
    withdraw(address);
    uploads.changed();
    await forget(address);
    await uploads.terminate(address).catch(() => {});
    announce(fill(gettext("%(name)s was cancelled."), { name }));
  });
  offers.set(address, row);
}

/** Offer what was left. Where the server cannot be asked now, it waits for the next visit. */
export async function offerAll(uploads) {
  for (const found of await remembered()) await offer(found, uploads).catch(() => {});
  uploads.changed();
}
