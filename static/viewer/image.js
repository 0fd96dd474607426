/* Pictures: looked at before they are decoded, decoded by the browser to a bitmap, drawn on a
 * canvas. A picture is never an element that loads or runs anything.
 */

import { PIECE } from "./channel.js";
import { measure } from "./measure.js";
import { Refusal } from "./refusal.js";
import { CANVAS_PIXELS, zoomed } from "./zoom.js";

/** What is decoded at most: 400 MB in memory. */
const PIXELS = 100_000_000;
const BYTES = 64 * 1024 * 1024;

export class Shown {
  #root;
  #channel;
  #size;
  #canvas = document.createElement("canvas");
  #factor = 1;

  constructor(root, channel, { size, words }) {
    this.#root = root;
    this.#channel = channel;
    this.#size = size;
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", words.label);
  }

  async start() {
    const head = await this.#channel.read(0, Math.min(this.#size, PIECE));
    const found = measure(head);
    if (!found) throw new Refusal("other");
    if (found.width * found.height > PIXELS || this.#size > BYTES) throw new Refusal("large");
    const rest = await this.#channel.read(head.length, this.#size);
    const blob = new Blob([head, rest], { type: found.type });
    const bitmap = await createImageBitmap(blob);
    const { width, height } = bitmap;
    const scale = Math.min(1, Math.sqrt(CANVAS_PIXELS / (width * height)));
    this.#canvas.width = Math.max(1, Math.floor(width * scale));
    this.#canvas.height = Math.max(1, Math.floor(height * scale));
    const drawing = this.#canvas.getContext("2d");
    drawing.imageSmoothingQuality = "high";
    drawing.drawImage(bitmap, 0, 0, this.#canvas.width, this.#canvas.height);
    bitmap.close();
    this.#canvas.style.setProperty("--natural", `${width}px`);
    this.#root.append(this.#canvas);
    this.zoom(0);
  }

  zoom(by) {
    this.#factor = zoomed(this.#factor, by);
    this.#canvas.style.setProperty("--zoom", this.#factor);
    this.#channel.say({ do: "shown" });
  }
}
