/* Text, as it is: UTF-8, what is none replaced (WHATWG Encoding), nothing of it ever markup. */

import { PIECE } from "./channel.js";

/** Bytes that are shown at first, with each "more", and in all. */
const STEP = 1024 * 1024;
const MOST = 16 * STEP;

export class Shown {
  #channel;
  #size;
  #text = document.createElement("pre");
  #decoder = new TextDecoder("utf-8");
  #at = 0;
  #reading = false;

  constructor(root, channel, { size }) {
    this.#channel = channel;
    this.#size = size;
    root.append(this.#text);
  }

  start() {
    return this.more();
  }

  async more() {
    const end = Math.min(this.#size, MOST);
    if (this.#reading) return;
    this.#reading = true;
    const stop = Math.min(this.#at + STEP, end);
    while (this.#at < stop) {
      const until = Math.min(this.#at + PIECE, stop);
      const bytes = await this.#channel.read(this.#at, until);
      this.#at = until;
      // A character may be cut by the end of a piece, not by that of the file.
      const text = this.#decoder.decode(bytes, { stream: until < this.#size });
      this.#text.append(text);
    }
    this.#reading = false;
    const more = this.#at < end;
    this.#channel.say({ do: "shown", more, cut: !more && end < this.#size });
  }
}
