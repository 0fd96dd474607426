/* Uploads that survive bad networks: takes the form of the upload page over, and sends by tus.
 *
 * Without this script the form works by itself. It keeps no secret in the browser: what it stores
 * to go on after a reload (by tus-js-client, in localStorage) is a file's name, size and address
 * on the server, and the address opens for nobody but its creator.
 *
 * A name, a size and a time do not say which file a file is. What is safe on the server is gone on
 * with only where its content chain is that of the same beginning of the file that was chosen, and
 * nothing is stored whose chain is not that of the whole file (chain.js, docs/uploads.md).
 */

/** Waits between two attempts, in milliseconds: ten minutes in all, and anew after any progress. */
const RETRY_DELAYS = [0, 1_000, 3_000, 5_000, 10_000, ...Array(30).fill(20_000)];
/** Browsers open six connections to one site; some must stay free for pages. */
const AT_ONCE = 3;
/** Weight of the newest second in the speed that is shown. */
const NEWEST = 0.25;
const TICK = 1_000;
const HELD = "held";
/** The last request, which says what the whole file is, has a part of the store's at most. */
const PART = 32 * 262_144;
const CHAIN = "Upload-Content-Chain";
const EXPECTED = "Upload-Expected-Chain";

const form = document.querySelector("form[data-tus]");
const field = form.querySelector("input[type=file]");
const token = form.elements.namedItem("csrfmiddlewaretoken");
const chains = import(form.dataset.chain);
const endpoint = new URL(form.dataset.tus, location.href).href;
const maxSize = Number(form.dataset.maxSize);
/** The folder that the files go to; empty for one's own files. */
const folder = form.elements.namedItem("folder")?.value ?? "";
/** What becomes of a file whose name is taken there, where nobody says. */
const RENAME = "rename";
/** Accounts that share a browser must not meet each other's uploads. */
const owned = `securestore/${form.dataset.user}/`;

const panel = document.getElementById("transfers");
const list = panel.querySelector("ul");
const summary = panel.querySelector("[role=status]");
const storedPanel = document.getElementById("stored");

class SignedOut extends Error {}
/** The file is no longer what was chosen: browsers refuse to read it then. */
class Unreadable extends Error {}
/** The upload was let go of while something was waited for. */
class LetGo extends Error {}

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

/**
 * What unfinished uploads are looked up by: a hint, and no more. Whether one is of this file only its
 * bytes can say. An upload is only ever continued in the custody, and into the place, that it was begun
 * for.
 */
function fingerprint(file, custody, conflict) {
  const held = custody === HELD ? [custody] : [];
  const place = folder || conflict !== RENAME ? [folder, conflict] : [];
  return owned + JSON.stringify([file.name, file.size, endpoint, ...held, ...place]);
}

/** When the file was last changed, where its computer says so in a way that others understand. */
function modified(file) {
  const moment = new Date(file.lastModified);
  const year = moment.getUTCFullYear();
  return year > 100 && year < 9999 ? { modified: moment.toISOString() } : {};
}

function shouldRetry(error) {
  if (error.causingError instanceof SignedOut || !navigator.onLine) return false;
  if (error.causingError instanceof Unreadable || error.causingError instanceof LetGo) return false;
  const status = error.originalResponse?.getStatus() ?? 0;
  if (status === 409 && error.originalResponse.getHeader(CHAIN)) return false;
  // A name that is taken, and was to be refused then: no request can mend it.
  if (status === 409 && error.originalRequest?.getMethod() === "POST") return false;
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

  /** Something to know that is no trouble; it stays. */
  note(text) {
    const note = this.part("note");
    note.hidden = !text;
    note.textContent = text;
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
  constructor(file, custody, conflict, passphrase, batch) {
    this.file = file;
    this.custody = custody;
    this.conflict = conflict;
    this.passphrase = passphrase;
    this.batch = batch;
    this.fingerprint = fingerprint(file, custody, conflict);
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
    this.rest();
    if (state !== "failed") this.row.complain("");
    if (["running", "waiting", "offline"].includes(state)) {
      this.row.button("toggle", "Pause", () => this.pause());
    } else if (state === "paused") {
      this.row.button("toggle", "Resume", () => this.resume());
    }
    this.render();
    announce();
  }

  /** What was sent before, or is not sent any more, says nothing about the speed of what comes. */
  rest() {
    this.speed = this.sampled = null;
  }

  render() {
    const { size: total } = this.file;
    const bytes = `${size(this.sent)} of ${size(total)}`;
    if (this.state === "running" && this.comparing) return this.renderComparing();
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

  renderComparing() {
    const { chain, until, why } = this.comparing;
    const done = Math.min(chain.read, until);
    const words = `${why}: ${size(done)} of ${size(until)} read`;
    this.row.say(this.state, words);
    this.row.show(done, until, words);
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
    if (this.sampled !== null) {
      const now = (this.sent - this.sampled) / (TICK / 1_000);
      // Less than before: what was on its way when the connection broke has to be sent again.
      if (now >= 0) this.speed = this.speed === null ? now : this.speed + NEWEST * (now - this.speed);
      this.sampled = this.sent;
    }
    this.render();
  }

  /** The chain of the file's first `offset` bytes, with words about how far it is. */
  async chainAt(offset, why) {
    const chain = this.chain;
    this.comparing = { chain, until: offset, why };
    try {
      return await chain.at(offset);
    } catch (error) {
      throw error instanceof DOMException ? new Unreadable() : error;
    } finally {
      if (this.comparing?.chain === chain) this.comparing = null;
    }
  }

  async begin() {
    this.enter("running");
    const run = (this.run = {});
    try {
      const { FileChain, possible } = await chains;
      // A new one each time: the file may have changed since it was read.
      this.chain = possible ? new FileChain(this.file) : null;
      const earlier = this.address ? await rememberedAt(this.address) : await this.find(run);
      if (this.run !== run) return;
      this.start(earlier);
    } catch (error) {
      if (this.run === run) this.stop({ causingError: error });
    }
  }

  /** What was left unfinished of this very file, earlier or by another choice of it. */
  async find(run) {
    const found = await unfinished(this.file, this.custody, this.conflict);
    const open = found.filter(({ uploadUrl }) => this.mayTake(uploadUrl));
    let note = "";
    for (const entry of open) {
      if (!this.chain) {
        note = "This browser can compare files over HTTPS alone";
        break;
      }
      const answer = await ask(entry.uploadUrl);
      if (this.run !== run) return null;
      if ([401, 403].includes(answer.status)) throw new SignedOut();
      if (answer.status >= 500) throw new Error(`The server answered ${answer.status}.`);
      if (!answer.ok) continue; // Gone.
      const offset = Number(answer.headers.get("Upload-Offset"));
      const told = answer.headers.get(CHAIN);
      const same = told === (await this.chainAt(offset, "Comparing with what is safe"));
      if (this.run !== run) return null;
      if (same && (await this.takeOver(entry.uploadUrl, run))) return entry;
      if (this.run !== run) return null;
      note = "Another file of this name and size was left unfinished";
    }
    if (note && !this.told) this.beginAnew(`${note}: this one is uploaded from its beginning.`);
    return null;
  }

  /** Whether an upload is nobody's on this page, or one's of an earlier choice that stands still. */
  mayTake(address) {
    const owner = [...transfers].find((transfer) => transfer.address === address);
    return !owner || (owner.batch < this.batch && ["paused", "failed"].includes(owner.state));
  }

  /** Go on with an upload, for which an earlier choice of the same content may have to make room. */
  async takeOver(address, run) {
    const owner = [...transfers].find((transfer) => transfer.address === address);
    if (owner && !owner.unreadable) {
      // It can still be gone on with: it goes only where it is the same file to its last byte.
      const { FileChain } = await chains;
      const its = await new FileChain(owner.file).at(owner.file.size).catch(() => null);
      const mine = await this.chainAt(this.file.size, "Comparing with an earlier choice");
      if (its !== null && its !== mine) return false;
    }
    if (this.run !== run || !this.mayTake(address)) return false;
    if (owner) {
      transfers.delete(owner);
      owner.row.remove();
    }
    this.address = address;
    this.created = false;
    withdraw(address);
    return true;
  }

  beginAnew(note) {
    this.told = note;
    this.row.note(note);
    announce(`${this.file.name}: ${note}`);
  }

  start(earlier) {
    const upload = new tus.Upload(this.file, {
      ...common,
      uploadUrl: this.address,
      fingerprint: async () => this.fingerprint,
      metadata: {
        filename: this.file.name,
        ...(this.file.type && { filetype: this.file.type }),
        ...modified(this.file),
        custody: this.custody,
        ...(folder && { folder }),
        conflict: this.conflict,
      },
      onBeforeRequest: (request) => this.prepare(upload, request),
      onAfterResponse: (request, response) => {
        common.onAfterResponse(request, response);
        const offset = response.getHeader("Upload-Offset");
        if (offset) upload.options.chunkSize = this.next(Number(offset));
      },
      onUploadUrlAvailable: () => (this.address = upload.url),
      onProgress: (sent) => {
        if (this.upload !== upload) return;
        this.sent = sent;
        // The first that is told of a request is where it begins.
        this.sampled ??= sent;
        this.retrying = false;
      },
      onShouldRetry: (error) => {
        this.rest();
        return (this.retrying = shouldRetry(error));
      },
      onError: (error) => this.upload === upload && this.stop(error),
      onSuccess: ({ lastResponse }) => this.upload === upload && this.finish(lastResponse),
    });
    this.upload = upload;
    if (earlier) upload.resumeFromPreviousUpload(earlier);
    else this.created ||= !this.address;
    upload.start();
  }

  /** Bytes of the next request: all of them, but for the last one's, which says what the file is. */
  next(offset) {
    const last = Math.max(0, Math.ceil(this.file.size / PART) - 1) * PART;
    return this.chain && offset < last ? last - offset : Infinity;
  }

  /** Before each request: who asks, and, where bytes follow, of which file they are. */
  async prepare(upload, request) {
    common.onBeforeRequest(request);
    if (request.getMethod() !== "PATCH") return;
    const offset = Number(request.getHeader("Upload-Offset"));
    const end = offset + upload.options.chunkSize;
    // A file that has changed is found out here: later it looks like a network that fails.
    await this.file.slice(offset, offset + 1).arrayBuffer().catch(() => {
      throw new Unreadable();
    });
    if (this.chain) {
      const safe = await this.chainAt(offset, "Comparing with what is safe");
      request.setHeader(CHAIN, safe);
      const { size: total } = this.file;
      if (end >= total) {
        request.setHeader(EXPECTED, await this.chainAt(total, "Reading the whole file"));
      } else {
        // Ahead of what is sent: what is sent later must still be what was read now.
        this.chain.at(total).catch(() => {});
      }
    }
    // A request that was let go of before it was sent would be sent all the same.
    if (this.upload !== upload) throw new LetGo();
  }

  /** Let go of the connection; what the server has stays there. */
  release() {
    const { upload } = this;
    this.upload = this.run = this.comparing = null;
    this.retrying = false;
    this.chain?.stop();
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
    const other = status === 409 && error.originalResponse.getHeader(CHAIN);
    this.release();
    if (error.causingError instanceof SignedOut) {
      this.signedOut = true;
      this.fail("You are no longer signed in. Sign in again in another tab, then resume.");
    } else if (error.causingError instanceof Unreadable) {
      this.unreadable = true;
      this.row.complain("");
      this.fail(
        "The file was changed, moved or deleted after it was chosen, so this browser does not read " +
          "it any more. Nothing of it was stored. Choose it again.",
        false,
      );
    } else if (other) {
      this.restart("The file is not the one that this upload was begun with");
    } else if (status === 460) {
      this.discard();
      this.fail(
        "The file was changed while it was uploaded, or altered on its way. Nothing of it was " +
          "stored. Resume uploads it from its beginning.",
      );
    } else if (!status && !navigator.onLine) {
      this.lose();
    } else if (!status) {
      this.fail("The server cannot be reached, or the file can no longer be read.");
    } else {
      this.fail(words || `The server answered ${status}.`);
    }
    advance();
  }

  /** What is safe is of another content: leave it, and upload this one from its beginning. */
  async restart(why) {
    this.beginAnew(`${why}: it is uploaded from its beginning.`);
    // What another visit or tab has begun may be of a file that somebody still wants to upload.
    if (this.created) await this.discard();
    this.address = null;
    this.sent = 0;
    if (this.state !== "running") return;
    this.enter("waiting");
    advance();
  }

  /** Give up what the server has of this file. It removes by itself what it cannot be told of. */
  async discard() {
    const { address } = this;
    this.address = null;
    this.sent = 0;
    if (!address) return;
    await forget(address);
    await terminate(address).catch(() => {});
  }

  fail(text, again = true) {
    this.enter("failed");
    this.row.complain(text);
    this.row.button("toggle", again ? "Resume" : "", () => this.resume());
    const begun = again || this.address;
    this.row.button("cancel", begun ? "Cancel" : "Remove", () => this.cancel());
  }

  async cancel() {
    const addresses = new Set([this.address, this.upload?.url].filter(Boolean));
    this.release();
    this.enter("cancelled");
    transfers.delete(this);
    this.row.remove();
    let left = "";
    try {
      await Promise.all([...addresses].map(forget));
      await Promise.all([...addresses].map(terminate));
    } catch {
      left = " The server could not be told; it removes the unfinished upload by itself.";
    }
    announce(`${this.file.name} was cancelled.${left}`);
    advance();
  }

  async finish(response) {
    const id = response.getHeader("Securestore-File");
    const key = response.getHeader("Securestore-Key");
    const told = response.getHeader(CHAIN);
    this.upload = null;
    this.sent = this.file.size;
    // Of a held file that was asked for again the server cannot tell it.
    const mine = this.chain && told && (await this.chain.at(this.file.size).catch(() => null));
    this.chain?.stop();
    if (mine && mine !== told) {
      this.address = null;
      const where = "It is in the list of files: delete it there, and upload this one again.";
      this.fail(`The server has stored another content under this name. ${where}`, false);
      return advance();
    }
    const saveAs = keyFileName(response.getHeader("Securestore-Key-File"));
    const kept =
      this.custody === HELD && (await keep(id, key, this.file.name, saveAs, this.passphrase));
    this.passphrase = "";
    transfers.delete(this);
    this.row.remove();
    const link = document.createElement("a");
    link.href = `${form.dataset.files}${id}/`;
    link.className = "name";
    link.append(document.createElement("bdi"));
    const name = response.getHeader("Securestore-Name");
    link.firstChild.textContent = name ? decodeURIComponent(name) : this.file.name;
    const item = document.createElement("li");
    item.append(link, `, ${size(this.file.size)}`, kept ? `, ${kept}` : "");
    if (this.told) item.append(`. ${this.told}`);
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

/** The name of the file for a key, as the server's rule has it; percent-encoded, since a header is ASCII. */
function keyFileName(header) {
  return header ? decodeURIComponent(header) : "file.key";
}

/** Give a new file its passphrase, or show its key; returns what to say of it. */
async function keep(id, key, name, saveAs, passphrase) {
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
  showKey(id, key, name, saveAs);
  return passphrase ? "with a key: the passphrase could not be set" : "and you keep its key";
}

function showKey(id, key, name, saveAs) {
  const item = document.getElementById("new-key").content.firstElementChild.cloneNode(true);
  for (const place of item.querySelectorAll("[data-name]")) place.textContent = name;
  item.querySelector("a").href = `${form.dataset.files}${id}/`;
  item.dataset.file = id;
  const secret = item.querySelector("[data-key]");
  secret.textContent = key;
  secret.dataset.fileName = saveAs;
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

let batches = 0;

/** Every file that was chosen is uploaded, whatever others are called: bytes tell them apart. */
function add(chosen, custody, conflict, passphrase) {
  batches += 1;
  for (const file of chosen) {
    transfers.add(new Transfer(file, custody, conflict, passphrase, batches));
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
  add(chosen, custody, form.elements.namedItem("conflict").value, passphrase);
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
/** By address; a browser cannot open the file by itself, so its owner must choose it again. */
const offers = new Map();

/** What this browser remembers of this person's unfinished uploads. */
async function remembered() {
  const all = await storage.findAllUploads();
  return all.filter(({ urlStorageKey, uploadUrl }) => {
    return uploadUrl && urlStorageKey.startsWith(`tus::${owned}`);
  });
}

/** Unfinished uploads that may be of this file, to judge by what is not its content. */
async function unfinished(file, custody, conflict) {
  return (await remembered()).filter(({ size: total, metadata }) => {
    const same = total === file.size && metadata.filename === file.name;
    const there = goesHere(metadata) && (metadata.conflict ?? RENAME) === conflict;
    return same && there && (metadata.custody ?? "managed") === custody;
  });
}

/** Whether an upload was begun for the folder of this page: where it goes was fixed then. */
function goesHere(metadata) {
  return (metadata.folder ?? "") === folder;
}

/** What is remembered of the upload at an address, for tus-js-client to go on with. */
async function rememberedAt(address) {
  return (await remembered()).find(({ uploadUrl }) => uploadUrl === address);
}

function ask(address) {
  const headers = { "Tus-Resumable": "1.0.0" };
  return fetch(address, { method: "HEAD", headers, cache: "no-store" });
}

/** Forget an upload in this browser. */
async function forget(address) {
  const entry = await rememberedAt(address);
  if (entry) await storage.removeUpload(entry.urlStorageKey);
}

/** Take an offer back: it is gone on with, or gone. */
function withdraw(address) {
  offers.get(address)?.remove();
  offers.delete(address);
}

async function offer({ uploadUrl: address, size: total, metadata }) {
  // Others are offered on the pages of their folders.
  if (!goesHere(metadata)) return;
  const answer = await ask(address);
  const id = answer.headers.get("Securestore-File");
  const key = answer.headers.get("Securestore-Key");
  // Complete, and the answer that said so was lost with the page.
  const saveAs = keyFileName(answer.headers.get("Securestore-Key-File"));
  if (key) showKey(id, key, metadata.filename, saveAs);
  if ([404, 410].includes(answer.status) || id) return forget(address);
  const done = Number(answer.headers.get("Upload-Offset"));
  const chosenMeanwhile = [...transfers].some((transfer) => transfer.address === address);
  if (!answer.ok || chosenMeanwhile || offers.has(address)) return;
  const row = new Row(metadata.filename);
  const words = `Unfinished at ${size(done)} of ${size(total)}. Choose the same file again to go on.`;
  row.say("offered", words);
  row.show(done, total, words);
  row.button("toggle", "Choose", () => {
    // It goes on only in the custody that it was begun in, and with the same choice for its name.
    form.elements.namedItem("custody").value = metadata.custody ?? "managed";
    form.elements.namedItem("conflict").value = metadata.conflict ?? RENAME;
    field.click();
  });
  row.button("cancel", "Cancel", async () => {
    withdraw(address);
    await forget(address);
    await terminate(address).catch(() => {});
    announce(`${metadata.filename} was cancelled.`);
  });
  offers.set(address, row);
}

// Where the server cannot be asked now, the offer has to wait for the next visit.
for (const found of await remembered()) await offer(found).catch(() => {});
