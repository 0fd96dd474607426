/* The content chain of a file (docs/uploads.md): which bytes it has, said in 32 bytes.
 *
 * C(0) is 32 zero bytes, C(i+1) is SHA-256(C(i) || SHA-256(slice i)), over slices of 256 KiB, the last
 * as short as it is. The file is read a few slices at a time, and never held.
 */

const SLICE = 262_144;
/** Slices that are read and digested at once: 4 MiB. */
const AT_ONCE = 16;
/** Slices between two places where a chain can be taken up again: 16 MiB. */
const BETWEEN_MARKS = 64;

/** Browsers have WebCrypto over HTTPS and on this machine alone. */
export const possible = Boolean(globalThis.crypto?.subtle);

export class Stopped extends Error {}

async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

async function link(state, digest) {
  const both = new Uint8Array(64);
  both.set(state);
  both.set(digest, 32);
  return sha256(both);
}

/** As headers have it: a byte sequence of RFC 9651. */
function written(state) {
  return `:${btoa(String.fromCharCode(...state))}:`;
}

/** The chains of all beginnings of one file. It reads ahead by itself once it is asked for one. */
export class FileChain {
  constructor(file) {
    this.file = file;
    this.read = 0;
    this.marks = [new Uint8Array(32)];
    this.waiting = [];
    this.stopped = false;
  }

  /** The chain of the first `offset` bytes. Rejects when the file cannot be read as it was. */
  async at(offset) {
    await this.reached(offset);
    if (offset === this.file.size) return written(this.whole);
    const mark = Math.floor(offset / (SLICE * BETWEEN_MARKS));
    const start = mark * SLICE * BETWEEN_MARKS;
    return written(await this.extended(this.marks[mark], start, offset));
  }

  /** No more is read for anybody. */
  stop() {
    this.stopped = true;
  }

  reached(offset) {
    this.running ??= this.run();
    if (this.read >= offset && (offset < this.file.size || this.whole)) return Promise.resolve();
    const reached = new Promise((resolve) => this.waiting.push({ offset, resolve }));
    return Promise.race([reached, this.running]);
  }

  async run() {
    let state = this.marks[0];
    const { size } = this.file;
    while (this.read < size) {
      const start = this.read;
      const end = Math.min(size, start + SLICE * AT_ONCE);
      state = await this.extended(state, start, end);
      if (end % (SLICE * BETWEEN_MARKS) === 0) this.marks.push(state);
      if (end === size) this.whole = state;
      this.read = end;
      this.waiting = this.waiting.filter(({ offset, resolve }) => {
        const there = offset <= end && (offset < size || end === size);
        if (there) resolve();
        return !there;
      });
    }
    this.whole ??= state;
  }

  /** A chain gone on with over the bytes from `start`, where a slice begins, to `stop`. */
  async extended(state, start, stop) {
    for (let at = start; at < stop; at += SLICE * AT_ONCE) {
      if (this.stopped) throw new Stopped();
      const end = Math.min(stop, at + SLICE * AT_ONCE);
      const data = await this.file.slice(at, end).arrayBuffer();
      if (data.byteLength !== end - at) throw new DOMException("It is shorter now.", "NotReadableError");
      const digests = [];
      for (let i = 0; i < data.byteLength; i += SLICE) digests.push(sha256(data.slice(i, i + SLICE)));
      for (const digest of await Promise.all(digests)) state = await link(state, digest);
    }
    return state;
  }
}
