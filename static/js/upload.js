/* Uploads that survive bad networks: takes the form of the upload page over, and sends by tus.
 *
 * Without this script the form works by itself. It keeps no secret in the browser: what it stores
 * to go on after a reload (by tus-js-client, in localStorage) is a file's name, size and address
 * on the server, and the address opens for nobody but its creator.
 */

/** Waits between two attempts, in milliseconds: ten minutes in all, and anew after any progress. */
const RETRY_DELAYS = [0, 1_000, 3_000, 5_000, 10_000, ...Array(30).fill(20_000)];
/** Browsers open six connections to one site; some must stay free for pages. */
const AT_ONCE = 3;
/** Weight of the newest second in the speed that is shown. */
const NEWEST = 0.25;
const TICK = 1_000;
const HELD = "held";

const form = document.querySelector("form[data-tus]");
const field = form.querySelector("input[type=file]");
const token = form.elements.namedItem("csrfmiddlewaretoken");
const endpoint = new URL(form.dataset.tus, location.href).href;
const maxSize = Number(form.dataset.maxSize);
/** Accounts that share a browser must not meet each other's uploads. */
const owned = `securestore/${form.dataset.user}/`;

const panel = document.getElementById("transfers");
const list = panel.querySelector("ul");
const summary = panel.querySelector("[role=status]");
const storedPanel = document.getElementById("stored");

class SignedOut extends Error {}

// --- Words ---------------------------------------------------------------------------------------

function size(bytes) {
  let unit = 0;
  for (; bytes >= 1024 && unit < 5; unit += 1) bytes /= 1024;
  const number = bytes.toLocaleString("en-GB", { maximumFractionDigits: unit ? 1 : 0 });
  return `${number}\u00a0${["bytes", "KB", "MB", "GB", "TB", "PB"][unit]}`;
}

function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}\u00a0s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}\u00a0min ${Math.round(seconds % 60)}\u00a0s`;
  return `${Math.floor(seconds / 3_600)}\u00a0h ${Math.floor((seconds % 3_600) / 60)}\u00a0min`;
}

function files(count) {
  return count === 1 ? "1 file" : `${count} files`;
}

// --- What every request needs -----------------------------------------------------------------------

/** An upload is only ever continued in the custody that it was begun in. */
function fingerprint(file, custody) {
  const held = custody === HELD ? [custody] : [];
  return owned + JSON.stringify([file.name, file.size, file.lastModified, endpoint, ...held]);
}

function shouldRetry(error) {
  if (error.causingError instanceof SignedOut || !navigator.onLine) return false;
  const status = error.originalResponse?.getStatus() ?? 0;
  return status === 0 || status >= 500 || [408, 409, 423, 429].includes(status);
}

const common = {
  endpoint,
  chunkSize: Infinity,
  retryDelays: RETRY_DELAYS,
  removeFingerprintOnSuccess: true,
  onShouldRetry: shouldRetry,
  // Read anew for each request: it changes when one signs in again.
  onBeforeRequest: (request) => request.setHeader("X-CSRFToken", token.value),
  // Otherwise the client would take an ended session for an upload that is gone, and forget it.
  onAfterResponse: (_, response) => {
    if ([401, 403].includes(response.getStatus())) throw new SignedOut(response.getBody());
  },
};

/** Take over the session of another tab. False while nobody, or another person, is signed in. */
async function renewSession() {
  const page = await fetch(location.pathname, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html");
  const found = fresh.querySelector("form[data-tus]");
  if (found?.dataset.user !== form.dataset.user) return false;
  token.value = found.querySelector("[name=csrfmiddlewaretoken]").value;
  return true;
}

/** Make the server forget an upload; it matters not whether it still knew it. */
async function terminate(address) {
  try {
    await tus.Upload.terminate(address, { ...common, retryDelays: [0, 1_000] });
  } catch (error) {
    if (![404, 410].includes(error.originalResponse?.getStatus())) throw error;
  }
}

// --- One file ---------------------------------------------------------------------------------------

/** A row of the list: a name, a bar, some words and at most two buttons. */
class Row {
  constructor(name) {
    this.name = name;
    this.element = document.getElementById("transfer").content.firstElementChild.cloneNode(true);
    for (const place of this.element.querySelectorAll("[data-name]")) place.textContent = name;
    this.bar = this.part("bar");
    this.bar.setAttribute("aria-label", `Progress of ${name}`);
    list.append(this.element);
    panel.hidden = false;
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  say(state, detail) {
    this.element.dataset.state = state;
    this.part("detail").textContent = detail;
  }

  show(done, total, words) {
    const percent = total ? Math.floor((100 * done) / total) : 100;
    this.bar.max = total || 1;
    this.bar.value = total ? done : 1;
    this.bar.textContent = `${percent}%`;
    this.bar.setAttribute("aria-valuetext", `${percent}%, ${words}`);
  }

  complain(text) {
    const problem = this.part("problem");
    problem.hidden = !text;
    problem.textContent = text;
  }

  button(part, label, action) {
    const button = this.part(part);
    button.hidden = !label;
    if (label) button.querySelector("[data-label]").textContent = label;
    button.onclick = action ?? null;
  }

  remove() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.remove();
    if (hadFocus) (list.querySelector("button:not([hidden])") ?? field).focus();
    panel.hidden = !list.children.length && !summary.textContent;
  }
}

/** One file on its way. States: waiting, running, paused, offline, failed, done, cancelled. */
class Transfer {
  constructor(file, custody, passphrase) {
    this.file = file;
    this.custody = custody;
    this.passphrase = passphrase;
    this.fingerprint = fingerprint(file, custody);
    this.row = new Row(file.name);
    this.sent = this.sampled = 0;
    this.speed = null;
    this.row.button("cancel", "Cancel", () => this.cancel());
    if (file.size > maxSize) {
      this.fail(`It has ${size(file.size)}; a file may have ${size(maxSize)} at most.`, false);
    } else {
      this.enter("waiting");
    }
  }

  enter(state) {
    this.state = state;
    this.speed = null;
    this.sampled = this.sent;
    if (state !== "failed") this.row.complain("");
    if (["running", "waiting", "offline"].includes(state)) {
      this.row.button("toggle", "Pause", () => this.pause());
    } else if (state === "paused") {
      this.row.button("toggle", "Resume", () => this.resume());
    }
    this.render();
    announce();
  }

  render() {
    const { size: total } = this.file;
    const bytes = `${size(this.sent)} of ${size(total)}`;
    const words = {
      waiting: () => `${size(total)}, waiting for its turn`,
      running: () => this.pace(bytes),
      paused: () => `Paused at ${bytes}`,
      offline: () => `No connection at ${bytes}. It goes on when the connection is back.`,
      failed: () => `Stopped at ${bytes}`,
    }[this.state]?.();
    if (!words) return;
    this.row.say(this.state, words);
    this.row.show(this.sent, total, words);
  }

  pace(bytes) {
    if (this.sent >= this.file.size) return `${bytes}, finishing`;
    if (this.retrying) return `${bytes}, connecting again`;
    if (!this.speed) return bytes;
    const left = duration((this.file.size - this.sent) / this.speed);
    return `${bytes}, ${size(Math.round(this.speed))}/s, ${left} left`;
  }

  /** Called every second while it runs. */
  tick() {
    const now = (this.sent - this.sampled) / (TICK / 1_000);
    // Less than before: what was on its way when the connection broke has to be sent again.
    if (now >= 0) this.speed = this.speed === null ? now : this.speed + NEWEST * (now - this.speed);
    this.sampled = this.sent;
    this.render();
  }

  async begin() {
    this.enter("running");
    const upload = new tus.Upload(this.file, {
      ...common,
      uploadUrl: this.address,
      fingerprint: async () => this.fingerprint,
      metadata: {
        filename: this.file.name,
        ...(this.file.type && { filetype: this.file.type }),
        custody: this.custody,
      },
      onUploadUrlAvailable: () => (this.address = upload.url),
      onProgress: (sent) => {
        if (this.upload !== upload) return;
        this.sent = sent;
        this.retrying = false;
      },
      onShouldRetry: (error) => (this.retrying = shouldRetry(error)),
      onError: (error) => this.upload === upload && this.stop(error),
      onSuccess: ({ lastResponse }) => {
        const key = lastResponse.getHeader("Securestore-Key");
        this.finish(lastResponse.getHeader("Securestore-File"), key);
      },
    });
    this.upload = upload;
    const [previous] = await upload.findPreviousUploads();
    if (this.upload !== upload || this.state !== "running") return;
    if (previous) upload.resumeFromPreviousUpload(previous);
    upload.start();
  }

  /** Let go of the connection; what the server has stays there. */
  release() {
    const { upload } = this;
    this.upload = null;
    this.retrying = false;
    return upload?.abort();
  }

  pause() {
    this.release();
    this.enter("paused");
    advance();
  }

  async resume() {
    if (this.signedOut) {
      try {
        if (!(await renewSession())) return this.stop({ causingError: new SignedOut() });
      } catch (error) {
        return this.stop(error);
      }
      this.signedOut = false;
    }
    this.enter("waiting");
    advance();
  }

  lose() {
    this.release();
    this.enter("offline");
  }

  /** The connection is back: do not wait for the next attempt. */
  hurry() {
    if (this.state !== "offline" && !this.retrying) return;
    this.release();
    this.enter("waiting");
    advance();
  }

  stop(error) {
    // Read before the request is let go of, which empties its answer.
    const status = error.originalResponse?.getStatus();
    const words = error.originalResponse?.getBody().trim();
    this.release();
    if (error.causingError instanceof SignedOut) {
      this.signedOut = true;
      this.fail("You are no longer signed in. Sign in again in another tab, then resume.");
    } else if (!status && !navigator.onLine) {
      this.lose();
    } else if (!status) {
      this.fail("The server cannot be reached, or the file can no longer be read.");
    } else {
      this.fail(words || `The server answered ${status}.`);
    }
    advance();
  }

  fail(text, again = true) {
    this.enter("failed");
    this.row.complain(text);
    this.row.button("toggle", again ? "Resume" : "", () => this.resume());
    this.row.button("cancel", again ? "Cancel" : "Remove", () => this.cancel());
  }

  async cancel() {
    const upload = this.upload;
    this.release();
    this.enter("cancelled");
    transfers.delete(this);
    this.row.remove();
    const addresses = new Set([this.address, upload?.url, ...(await forget(this.fingerprint))]);
    let left = "";
    try {
      await Promise.all([...addresses].filter(Boolean).map(terminate));
    } catch {
      left = " The server could not be told; it removes the unfinished upload by itself.";
    }
    announce(`${this.file.name} was cancelled.${left}`);
    advance();
  }

  async finish(id, key) {
    this.upload = null;
    this.sent = this.file.size;
    const kept = this.custody === HELD && (await keep(id, key, this.file.name, this.passphrase));
    this.passphrase = "";
    transfers.delete(this);
    this.row.remove();
    const link = document.createElement("a");
    link.href = `${form.dataset.files}${id}/`;
    link.className = "name";
    link.append(document.createElement("bdi"));
    link.firstChild.textContent = this.file.name;
    const item = document.createElement("li");
    item.append(link, `, ${size(this.file.size)}`, kept ? `, ${kept}` : "");
    storedPanel.hidden = false;
    storedPanel.querySelector("ul").append(item);
    this.enter("done");
    stored += 1;
    announce();
    advance();
  }
}

// --- Files whose key their owner keeps --------------------------------------------------------------

const keysPanel = document.getElementById("new-keys");
const keysForm = keysPanel.querySelector("[data-saved]");

function post(address, fields) {
  const body = new URLSearchParams(fields);
  const headers = { "X-CSRFToken": token.value, Accept: "text/plain" };
  return fetch(address, { method: "POST", body, headers, redirect: "manual" });
}

/** Give a new file its passphrase, or show its key; returns what to say of it. */
async function keep(id, key, name, passphrase) {
  if (passphrase) {
    const fields = { passphrase, passphrase_again: passphrase };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        const answer = await post(`${form.dataset.files}${id}/key/passphrase/`, fields);
        if (answer.status === 204) return "with your passphrase";
      } catch {
        // The connection; the key below is as good.
      }
    }
  }
  if (!key) return "whose key is on its page";
  showKey(id, key, name);
  return passphrase ? "with a key: the passphrase could not be set" : "and you keep its key";
}

function showKey(id, key, name) {
  const item = document.getElementById("new-key").content.firstElementChild.cloneNode(true);
  for (const place of item.querySelectorAll("[data-name]")) place.textContent = name;
  item.querySelector("a").href = `${form.dataset.files}${id}/`;
  item.dataset.file = id;
  const secret = item.querySelector("[data-key]");
  secret.textContent = key;
  secret.dataset.fileName = name;
  keysPanel.querySelector("ul").append(item);
  keysForm.elements.namedItem("saved").checked = false;
  keysPanel.hidden = false;
  keysPanel.scrollIntoView({ block: "nearest" });
}

keysForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const items = [...keysPanel.querySelectorAll("[data-file]")];
  const fields = [["saved", "yes"], ...items.map((item) => ["file", item.dataset.file])];
  const problem = keysForm.querySelector(".problem");
  try {
    const answer = await post(form.dataset.keysSaved, fields);
    if (answer.status !== 204) throw new Error(String(answer.status));
    for (const item of items) item.remove();
    keysPanel.hidden = !keysPanel.querySelector("[data-file]");
    problem.hidden = true;
    announce("Only you have the keys now.");
  } catch {
    problem.textContent = "The server could not be told. Try again; the keys stay here until then.";
    problem.hidden = false;
  }
});

/** What is wrong with the passphrase that was typed, in words; empty where nothing is. */
async function judged(passphrase, again) {
  if (passphrase !== again) return "The two passphrases differ: type both again.";
  const answer = await post(form.dataset.judge, { passphrase, passphrase_again: again });
  if (answer.status === 204) return "";
  return answer.status === 400 ? (await answer.text()).trim() : "Sign in again in another tab first.";
}

// --- All of them ----------------------------------------------------------------------------------

const transfers = new Set();
let stored = 0;

function count(...states) {
  return [...transfers].filter((transfer) => states.includes(transfer.state)).length;
}

/** Start as many as may run. */
function advance() {
  for (const transfer of transfers) {
    if (count("running") >= AT_ONCE) return;
    if (transfer.state === "waiting") transfer.begin();
  }
}

/** Tell how it stands. Only when something has changed: it is read out. */
function announce(news = "") {
  const parts = [
    [count("running", "waiting"), "on the way"],
    [count("paused"), "paused"],
    [count("offline"), "waiting for the connection"],
    [count("failed"), "not stored"],
    [stored, "stored"],
  ];
  const words = parts.filter(([number]) => number).map(([number, what]) => `${files(number)} ${what}`);
  if (stored && !transfers.size) words.splice(0, words.length, `All done: ${files(stored)} stored`);
  const text = [news, words.length ? `${words.join(", ")}.` : ""].filter(Boolean).join(" ");
  if (text !== summary.textContent) summary.textContent = text;
  panel.hidden = !text && !list.children.length;
}

function add(chosen, custody, passphrase) {
  for (const file of chosen) {
    const print = fingerprint(file, custody);
    const known = [...transfers].some((transfer) => transfer.fingerprint === print);
    if (known) continue;
    offers.get(print)?.row.remove();
    offers.delete(print);
    transfers.add(new Transfer(file, custody, passphrase));
  }
  announce();
  advance();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = [...field.files];
  const custody = form.elements.namedItem("custody").value;
  const first = form.elements.namedItem("passphrase");
  const second = form.elements.namedItem("passphrase_again");
  let passphrase = "";
  if (custody === HELD && (first.value || second.value)) {
    passphrase = first.value;
    const wrong = await judged(passphrase, second.value).catch(() => "The server cannot be reached.");
    first.setCustomValidity(wrong);
    if (wrong) return first.reportValidity();
  }
  add(chosen, custody, passphrase);
  field.value = first.value = second.value = "";
});

for (const name of ["passphrase", "passphrase_again"]) {
  const typed = form.elements.namedItem(name);
  typed.addEventListener("input", () => form.elements.namedItem("passphrase").setCustomValidity(""));
}

setInterval(() => {
  for (const transfer of transfers) if (transfer.state === "running") transfer.tick();
}, TICK);

// What is on its way would otherwise hang until the system gives the connection up.
addEventListener("offline", () => {
  for (const transfer of transfers) if (transfer.state === "running") transfer.lose();
});

addEventListener("online", () => {
  for (const transfer of transfers) transfer.hurry();
});

addEventListener("beforeunload", (event) => {
  if (count("running", "waiting", "paused", "offline")) event.preventDefault();
});

// --- Drag and drop: anywhere on the page ------------------------------------------------------------

const zone = field.closest(".drop");

addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  zone.classList.add("over");
});

addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) zone.classList.remove("over");
});

addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  zone.classList.remove("over");
  const chosen = new DataTransfer();
  for (const file of field.files) chosen.items.add(file);
  const folders = [];
  for (const item of event.dataTransfer.items) {
    const entry = item.webkitGetAsEntry?.();
    if (entry?.isDirectory) folders.push(entry.name);
    else if (item.kind === "file") chosen.items.add(item.getAsFile());
  }
  field.files = chosen.files;
  if (folders.length) announce(`Folders cannot be uploaded: ${folders.join(", ")}.`);
});

// --- What an earlier visit left unfinished ----------------------------------------------------------

const storage = tus.defaultOptions.urlStorage;
/** By fingerprint; a browser cannot open the file by itself, so its owner must choose it again. */
const offers = new Map();

/** Forget an upload in this browser; returns its addresses on the server. */
async function forget(print) {
  const found = await storage.findUploadsByFingerprint(print);
  for (const { urlStorageKey } of found) await storage.removeUpload(urlStorageKey);
  return found.map(({ uploadUrl }) => uploadUrl);
}

async function offer(print, { uploadUrl, size: total, metadata }) {
  const answer = await fetch(uploadUrl, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
  const id = answer.headers.get("Securestore-File");
  const key = answer.headers.get("Securestore-Key");
  // Complete, and the answer that said so was lost with the page.
  if (key) showKey(id, key, metadata.filename);
  if ([404, 410].includes(answer.status) || id) return forget(print);
  const done = Number(answer.headers.get("Upload-Offset"));
  const chosenMeanwhile = [...transfers].some((transfer) => transfer.fingerprint === print);
  if (!answer.ok || chosenMeanwhile || offers.has(print)) return;
  const row = new Row(metadata.filename);
  const words = `Unfinished at ${size(done)} of ${size(total)}. Choose the same file again to go on.`;
  row.say("offered", words);
  row.show(done, total, words);
  row.button("toggle", "Choose", () => {
    // It goes on only in the custody that it was begun in.
    form.elements.namedItem("custody").value = metadata.custody ?? "managed";
    field.click();
  });
  row.button("cancel", "Cancel", async () => {
    offers.delete(print);
    row.remove();
    await forget(print);
    await terminate(uploadUrl).catch(() => {});
    announce(`${metadata.filename} was cancelled.`);
  });
  offers.set(print, { row });
}

for (const found of await storage.findAllUploads()) {
  const print = found.urlStorageKey.slice("tus::".length, found.urlStorageKey.lastIndexOf("::"));
  // Where the server cannot be asked now, the offer has to wait for the next visit.
  if (print.startsWith(owned) && found.uploadUrl) await offer(print, found).catch(() => {});
}
