/* One file on its way, by tus, so that it survives bad networks.
 *
 * A name, a size and a time do not say which file a file is. What is safe on the server is gone on
 * with only where its content chain is that of the same beginning of the file that was chosen, and
 * nothing is stored whose chain is not that of the whole file (../chain.js, docs/uploads.md).
 */

import { FileChain, possible } from "../chain.js";
import { announce } from "./announcer.js";
import { CHAIN, LetGo, Unreadable, common, modified, shouldRetry, terminate } from "./client.js";
import { HELD, keep, keyFileName } from "./kept.js";
import { Meter } from "./meter.js";
import { fingerprint, forget, rememberedAt, unfinished, withdraw } from "./offers.js";
import { Refused, SignedOut, ask, page, refuse, renewSession } from "./requests.js";
import { Row } from "./row.js";
import { describe, storedLine } from "./wording.js";
import { fill, gettext, size } from "./words.js";

/** The last request, which says what the whole file is, has a part of the store's at most. */
const PART = 32 * 262_144;
const EXPECTED = "Upload-Expected-Chain";

/** One file on its way. States: waiting, running, paused, offline, failed, done, cancelled. */
export class Transfer {
  /** `path` are the folders that it stood in; `options`: custody, conflict, passphrase. */
  constructor(uploads, file, path, options, batch) {
    this.uploads = uploads;
    this.file = file;
    this.path = path;
    this.options = { ...options };
    this.batch = batch;
    this.row = new Row(file.name, path);
    this.sent = 0;
    this.meter = new Meter();
    this.row.close(this.named(gettext("Cancel upload of %(name)s")), () => this.cancel());
    const largest = Number(page.maxSize);
    if (file.size > largest) {
      const text = gettext("It has %(size)s; a file may have %(largest)s at most.");
      this.fail(fill(text, { size: size(file.size), largest: size(largest) }), false);
    } else {
      this.enter("waiting");
    }
  }

  named(text) {
    return fill(text, { name: this.file.name });
  }

  enter(state) {
    const before = this.state;
    this.state = state;
    this.rest();
    if (state !== "failed") this.row.complain("");
    if (["running", "waiting", "offline"].includes(state)) {
      this.row.toggle(gettext("Pause"), this.named(gettext("Pause %(name)s")), () => this.pause());
    } else if (state === "paused") {
      this.offerResume();
    }
    describe(this);
    const over = ["done", "cancelled"].includes(state);
    this.uploads.moved(before, over ? null : state);
  }

  offerResume() {
    this.row.toggle(gettext("Resume"), this.named(gettext("Resume %(name)s")), () => this.resume());
  }

  /** What was sent before, or is not sent any more, says nothing about the speed of what comes. */
  rest() {
    this.meter.rest();
    this.told = null;
  }

  // --- Which bytes they are ------------------------------------------------------------------------

  /** The chain of the file's first `offset` bytes, with words about how far it is. */
  async chainAt(offset, why) {
    const { chain } = this;
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
    const found = await unfinished(this.file, this.path, this.options);
    const open = found.filter(({ uploadUrl }) => this.mayTake(uploadUrl));
    let note = "";
    for (const entry of open) {
      if (!this.chain) {
        note = gettext(
          "This browser can compare files over HTTPS alone: this one is uploaded from its beginning.",
        );
        break;
      }
      const answer = await ask(entry.uploadUrl);
      if (this.run !== run) return null;
      refuse(answer.status, "", answer.headers.get("Tus-Resumable"));
      if (answer.status >= 500) {
        throw new Error(fill(gettext("The server answered %(status)s."), { status: answer.status }));
      }
      if (!answer.ok) continue; // Gone.
      const offset = Number(answer.headers.get("Upload-Offset"));
      const told = answer.headers.get(CHAIN);
      const same = told === (await this.chainAt(offset, gettext("Comparing with what is safe")));
      if (this.run !== run) return null;
      if (same && (await this.takeOver(entry.uploadUrl, run))) return entry;
      if (this.run !== run) return null;
      note = gettext(
        "Another file of this name and size was left unfinished: this one is uploaded from its " +
          "beginning.",
      );
    }
    if (note && !this.noted) this.beginAnew(note);
    return null;
  }

  /** Whether an upload is nobody's on this page, or one's of an earlier choice that stands still. */
  mayTake(address) {
    const owner = this.uploads.at(address);
    return !owner || (owner.batch < this.batch && ["paused", "failed"].includes(owner.state));
  }

  /** Go on with an upload, for which an earlier choice of the same content may have to make room. */
  async takeOver(address, run) {
    const owner = this.uploads.at(address);
    if (owner && !owner.unreadable) {
      // It can still be gone on with: it goes only where it is the same file to its last byte.
      const its = await new FileChain(owner.file).at(owner.file.size).catch(() => null);
      const mine = await this.chainAt(
        this.file.size,
        gettext("Comparing with an earlier choice"),
      );
      if (its !== null && its !== mine) return false;
    }
    if (this.run !== run || !this.mayTake(address)) return false;
    owner?.leave();
    this.address = address;
    this.created = false;
    withdraw(address);
    return true;
  }

  /** Make room for another choice of the same file. */
  leave() {
    this.enter("cancelled");
    this.uploads.gone(this);
    this.row.remove();
  }

  beginAnew(note) {
    this.noted = note;
    this.row.note(note);
    announce(`${this.file.name}: ${note}`);
  }

  // --- Sending -----------------------------------------------------------------------------------

  start(earlier) {
    const { custody, conflict } = this.options;
    const upload = new tus.Upload(this.file, {
      ...common,
      uploadUrl: this.address,
      fingerprint: async () => fingerprint(this.file, this.path, this.options),
      metadata: {
        filename: this.file.name,
        ...(this.file.type && { filetype: this.file.type }),
        ...modified(this.file),
        custody,
        ...(page.folder && { folder: page.folder }),
        ...(this.path && { path: this.path }),
        conflict,
      },
      onBeforeRequest: (request) => this.prepare(upload, request),
      onAfterResponse: (request, response) => {
        common.onAfterResponse(request, response);
        const offset = response.getHeader("Upload-Offset");
        if (offset) upload.options.chunkSize = this.next(Number(offset));
      },
      onUploadUrlAvailable: () => (this.address = upload.url),
      onProgress: (sent) => this.upload === upload && this.progress(sent),
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

  progress(sent) {
    this.sent = sent;
    this.retrying = false;
    const meters = [this.meter, this.uploads.meter];
    // The first that is told of a request is where it begins; less than before is sent once more.
    const more = this.told === null ? 0 : sent - this.told;
    this.told = sent;
    for (const meter of meters) {
      if (more > 0) meter.add(more);
      else meter.begin();
    }
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
      const safe = await this.chainAt(offset, gettext("Comparing with what is safe"));
      request.setHeader(CHAIN, safe);
      const { size: total } = this.file;
      if (end >= total) {
        const whole = await this.chainAt(total, gettext("Reading the whole file"));
        request.setHeader(EXPECTED, whole);
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

  // --- What happens to it --------------------------------------------------------------------------

  pause() {
    this.release();
    this.enter("paused");
    this.uploads.advance();
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
    this.uploads.advance();
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
    this.uploads.advance();
  }

  stop(error) {
    // Read before the request is let go of, which empties its answer.
    const status = error.originalResponse?.getStatus();
    const words = error.originalResponse?.getBody().trim();
    const other = status === 409 && error.originalResponse.getHeader(CHAIN);
    const { causingError: cause } = error;
    this.release();
    if (cause instanceof SignedOut) {
      this.signedOut = true;
      this.fail(
        gettext("You are no longer signed in. Sign in again in another tab, then resume."),
      );
    } else if (cause instanceof Refused) {
      this.fail(cause.message || gettext("The server refuses it."));
    } else if (cause instanceof Unreadable) {
      this.unreadable = true;
      this.fail(
        gettext(
          "The file was changed, moved or deleted after it was chosen, so this browser does not " +
            "read it any more. Nothing of it was stored. Choose it again.",
        ),
        false,
      );
    } else if (other) {
      this.restart(
        gettext(
          "The file is not the one that this upload was begun with: it is uploaded from its " +
            "beginning.",
        ),
      );
    } else if (status === 460) {
      this.discard();
      this.fail(
        gettext(
          "The file was changed while it was uploaded, or altered on its way. Nothing of it was " +
            "stored. Resume uploads it from its beginning.",
        ),
      );
    } else if (!status && !navigator.onLine) {
      this.lose();
    } else if (!status) {
      this.fail(gettext("The server cannot be reached, or the file can no longer be read."));
    } else {
      this.fail(words || fill(gettext("The server answered %(status)s."), { status }));
    }
    this.uploads.advance();
  }

  /** What is safe is of another content: leave it, and upload this one from its beginning. */
  async restart(why) {
    this.beginAnew(why);
    // What another visit or tab has begun may be of a file that somebody still wants to upload.
    if (this.created) await this.discard();
    this.address = null;
    this.sent = 0;
    if (this.state !== "running") return;
    this.enter("waiting");
    this.uploads.advance();
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
    announce(`${this.file.name}: ${text}`);
    if (again) this.offerResume();
    else this.row.toggle("");
    const begun = again || this.address;
    const name = begun ? gettext("Cancel upload of %(name)s") : gettext("Remove %(name)s");
    this.row.close(this.named(name), () => this.cancel());
  }

  /** End it. `quietly` where many are at once, and one announcement tells of all of them. */
  async cancel(quietly = false) {
    const addresses = new Set([this.address, this.upload?.url].filter(Boolean));
    this.release();
    this.leave();
    let text = gettext("%(name)s was cancelled.");
    try {
      await Promise.all([...addresses].map(forget));
      await Promise.all([...addresses].map(terminate));
    } catch {
      text = gettext(
        "%(name)s was cancelled. The server could not be told; it removes the unfinished upload by " +
          "itself.",
      );
    }
    if (!quietly) announce(this.named(text));
    this.uploads.advance();
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
      this.fail(
        gettext(
          "The server has stored another content under this name. It is in the list of files: " +
            "delete it there, and upload this one again.",
        ),
        false,
      );
      return this.uploads.advance();
    }
    const saveAs = keyFileName(response.getHeader("Securestore-Key-File"));
    const { custody, passphrase } = this.options;
    const kept = custody === HELD && (await keep(id, key, this.file.name, saveAs, passphrase));
    this.options.passphrase = "";
    const name = response.getHeader("Securestore-Name");
    const elsewhere = Boolean(response.getHeader("Securestore-Folder"));
    this.row.remove();
    this.enter("done");
    const shown = name ? decodeURIComponent(name) : this.file.name;
    this.uploads.finished(this, this.line(id, shown, kept, elsewhere));
  }

  /** What is said of it once it is stored. */
  line(id, name, kept, elsewhere) {
    const notes = this.noted ? [this.noted] : [];
    if (elsewhere) {
      notes.unshift(
        gettext(
          "It is in your own files: the folder that it was meant for is gone, or you may not add to " +
            "it any more.",
        ),
      );
      announce(`${name}: ${notes[0]}`);
    }
    const about = [size(this.file.size), ...(kept ? [kept] : [])];
    return storedLine(id && `${page.files}${id}/`, name, about, notes);
  }
}
