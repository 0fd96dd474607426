/* The port to the page: asks for bytes, says what is shown. There is no other way out. */

/** Bytes of one request. */
export const PIECE = 256 * 1024;
const MOST = 4 * PIECE;

export class Channel {
  #port;
  #asked = new Map();
  #last = 0;

  /** `obey` is told what the page's controls want: a name and a value. */
  constructor(port, obey) {
    this.#port = port;
    port.addEventListener("message", ({ data }) => {
      if (data.do !== "answer") return obey(data.do, data.value);
      const { resolve, reject } = this.#asked.get(data.id);
      this.#asked.delete(data.id);
      if (data.bytes) resolve(data.bytes);
      else reject(new Error("no bytes"));
    });
    port.start();
  }

  say(message) {
    this.#port.postMessage(message);
  }

  fail(reason) {
    this.say({ do: "failed", reason });
  }

  /** An ArrayBuffer; rejects where the page had none, which it has told by then. */
  ask(message) {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#port.postMessage({ ...message, id });
    });
  }

  /** The bytes `[start, stop)` as a Uint8Array, however many: in pieces. */
  async read(start, stop) {
    const bytes = new Uint8Array(stop - start);
    const pieces = [];
    for (let at = start; at < stop; at += MOST) {
      const end = Math.min(at + MOST, stop);
      const asked = this.ask({ do: "read", start: at, stop: end });
      pieces.push(asked.then((piece) => bytes.set(new Uint8Array(piece), at - start)));
    }
    await Promise.all(pieces);
    return bytes;
  }
}
