/* PDF by pdf.js: opened by ranges, so that a page costs what it needs of the file and no more.
 *
 * Documents' scripts, forms' actions, links and attachments are not brought to life: pages are drawn
 * on canvases, with their text over them to be selected, searched and read out. pdf.js parses in a
 * worker, which starts from a blob: a page of no origin can start no other, and it inherits the
 * policy of this one. Neither evaluates code nor compiles WebAssembly: the policy has no word for it.
 */

import { PIECE } from "./channel.js";
import { Pages } from "./pages.js";
import { Refusal } from "./refusal.js";

const HEAD = 1024;
const MOST_PAGES = 20_000;
/** Pixels of one image within a page. */
const PIXELS = 100_000_000;

const address = (name) => new URL(document.documentElement.dataset[name], document.baseURI).href;

/** The library, whichever document comes: fetched while its first bytes are on their way. */
const library = import(address("pdf"));
library.catch(() => {}); // Whoever waits for it is told.

/** The worker, once it listens. A module of no origin is no worker of its own in Chromium: a classic
 * one, from a blob, imports it. What it is told before that would be lost. What finds pages faster
 * comes beside it, and is not waited for. */
function started() {
  const [faster, whole] = ["parser", "worker"].map((name) => JSON.stringify(address(name)));
  const code = `import(${faster}); import(${whole});`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(url);
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", () => resolve(worker), { once: true });
    worker.addEventListener("error", () => reject(new Refusal("broken")));
  });
}

const parser = started();
parser.catch(() => {});

export class Shown {
  #root;
  #channel;
  #size;
  #words;
  #pages = null;

  constructor(root, channel, { size, words }) {
    this.#root = root;
    this.#channel = channel;
    this.#size = size;
    this.#words = words;
  }

  async start() {
    const channel = this.#channel;
    const head = await channel.read(0, Math.min(this.#size, PIECE));
    // Readers look for it in the first KiB (ISO 32000-1, annex H, note 13 of Acrobat's).
    const text = String.fromCharCode(...head.subarray(0, HEAD));
    if (!text.includes("%PDF-")) throw new Refusal("other");
    const { getDocument, PDFDataRangeTransport, PDFWorker, TextLayer } = await library;

    class Transport extends PDFDataRangeTransport {
      requestDataRange(start, stop) {
        const got = start === 0 && stop === head.length ? Promise.resolve(head.slice()) : null;
        (got ?? channel.read(start, stop)).then(
          (bytes) => this.onDataRange(start, bytes),
          () => this.abort(), // The page has said why.
        );
      }
    }

    class Assets {
      async fetch({ kind, filename }) {
        return new Uint8Array(await channel.ask({ do: "asset", kind, name: filename }));
      }
    }

    const task = getDocument({
      range: new Transport(this.#size, null),
      rangeChunkSize: PIECE,
      worker: PDFWorker.create({ port: await parser }),
      disableAutoFetch: true,
      disableStream: true,
      BinaryDataFactory: Assets,
      cMapUrl: "cmaps/",
      standardFontDataUrl: "standard_fonts/",
      wasmUrl: address("wasm"),
      useWasm: false,
      useWorkerFetch: false,
      useSystemFonts: false,
      enableXfa: false,
      maxImageSize: PIXELS,
      verbosity: 0,
    });
    const refused = new Promise((_, reject) => {
      task.onPassword = () => reject(new Refusal("password"));
    });
    const pdf = await Promise.race([task.promise, refused]);
    const pages = Math.min(pdf.numPages, MOST_PAGES);
    const tell = (state) => channel.say({ do: "shown", cut: pdf.numPages > pages, ...state });
    this.#pages = new Pages(this.#root, { pdf, pages, words: this.#words, TextLayer, tell });
    await this.#pages.start();
  }

  page(number) {
    this.#pages?.go(number);
  }

  step(by) {
    this.#pages?.step(by);
  }

  zoom(by) {
    this.#pages?.zoom(by);
  }
}
