/* The bytes of one file, by ranges, through the door that every download goes through: the server
 * decides anew for each, and notes what it sent. Nothing is kept here but what was fetched ahead.
 *
 * A frame asks for what it likes, so what it may ask for is bounded: within the file, a piece at a
 * time, a few at once, and a few times the file in all.
 */

/** Bytes of one request: as many as the server authenticates at a time, or a few times that. */
export const PIECE = 256 * 1024;
const MOST = 4 * PIECE;
const AT_ONCE = 4;
const TRIES = 4;
/** How many bytes are fetched in all: a file's size so many times, and this. */
const TIMES = 4;
const MARGIN = 64 * 1024 * 1024;

/** Why the bytes did not come; the page has words for each. */
const REASONS = new Map([
  [0, "ended"],
  [403, "closed"],
  [404, "closed"],
  [412, "changed"],
  [429, "busy"],
  [502, "damaged"],
  [503, "busy"],
]);

export class NoBytes extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

export class Ranges {
  #address;
  #etag;
  #left;
  #ahead = new Map();
  #running = 0;
  #waiting = [];

  /** `size` in bytes; `etag` as the server gave it: it is that content, or nothing. */
  constructor({ address, etag, size }) {
    this.#address = address;
    this.#etag = etag;
    this.size = size;
    this.#left = TIMES * size + MARGIN;
  }

  /** Fetch bytes that will be asked for first, while the frame is still on its way. */
  ahead(start, stop) {
    if (stop <= start || this.#ahead.has(start)) return;
    const bytes = this.read(start, stop);
    bytes.catch(() => {}); // Whoever asks for them is told.
    this.#ahead.set(start, { stop, bytes });
  }

  /** The bytes `[start, stop)`, as an ArrayBuffer of one's own. Rejects with NoBytes. */
  async read(start, stop) {
    const fits = Number.isSafeInteger(start) && Number.isSafeInteger(stop) && start >= 0;
    const length = stop - start;
    if (!fits || stop > this.size || length < 1 || length > MOST) throw new NoBytes("refused");
    const ahead = this.#ahead.get(start);
    if (ahead?.stop === stop) {
      this.#ahead.delete(start);
      return ahead.bytes;
    }
    this.#left -= length;
    if (this.#left < 0) throw new NoBytes("refused");
    await this.#turn();
    try {
      return await this.#fetched(start, stop);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn() {
    while (this.#running >= AT_ONCE) {
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }

  async #fetched(start, stop) {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#ask(start, stop);
      const said = answer.headers.get("Content-Range");
      if (answer.status === 206 && said === `bytes ${start}-${stop - 1}/${this.size}`) {
        // One that ends short rejects: then the access ended, or the file is damaged there.
        const bytes = await answer.arrayBuffer().catch(() => null);
        if (bytes?.byteLength === stop - start) return bytes;
        throw new NoBytes("ended");
      }
      await answer.body?.cancel();
      const reason = REASONS.get(answer.status) ?? "ended";
      if (reason !== "busy" || tries === TRIES) throw new NoBytes(reason);
      const wait = Number(answer.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1_000 * Math.min(wait, 10)));
    }
  }

  async #ask(start, stop) {
    try {
      return await fetch(this.#address, {
        headers: { Range: `bytes=${start}-${stop - 1}`, "If-Match": this.#etag },
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual", // To the sign-in page: status 0, "ended".
      });
    } catch {
      throw new NoBytes("offline");
    }
  }
}
