/* Pages below one another, drawn when they come near, and let go when they are far. */

import { CANVAS_PIXELS, zoomed } from "./zoom.js";

/** Pages wider than that are hard to read: what fits is no wider, in CSS pixels. */
const WIDEST = 1100;
const NEAR = "60% 0px";

class PageView {
  #pdf;
  #number;
  #TextLayer;
  #page = null;
  #drawing = null;
  #near = false;

  constructor(pdf, number, label, TextLayer) {
    this.#pdf = pdf;
    this.#number = number;
    this.#TextLayer = TextLayer;
    this.element = document.createElement("section");
    this.element.className = "page";
    this.element.setAttribute("aria-label", label);
    this.element.dataset.number = number;
  }

  /** Its size at scale 1: of its own where that is known, else as the first page's. */
  lay(scale, like) {
    const { width, height } = this.#page?.getViewport({ scale: 1 }) ?? like;
    const style = this.element.style;
    style.setProperty("--total-scale-factor", scale);
    style.setProperty("--scale-round-x", "1px");
    style.setProperty("--scale-round-y", "1px");
    style.width = `${Math.floor(width * scale)}px`;
    style.height = `${Math.floor(height * scale)}px`;
  }

  async draw(scale, like) {
    this.#near = true;
    this.#page ??= await this.#pdf.getPage(this.#number);
    if (!this.#near) return;
    this.#stop();
    this.lay(scale, like);
    const viewport = this.#page.getViewport({ scale });
    const area = viewport.width * viewport.height;
    const ratio = Math.min(devicePixelRatio || 1, Math.sqrt(CANVAS_PIXELS / area));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(viewport.width * ratio));
    canvas.height = Math.max(1, Math.floor(viewport.height * ratio));
    canvas.setAttribute("aria-hidden", "true");
    const transform = ratio === 1 ? null : [ratio, 0, 0, ratio, 0, 0];
    const drawing = this.#page.render({ canvas, viewport, transform });
    this.#drawing = drawing;
    try {
      await drawing.promise;
    } catch (error) {
      if (error.name === "RenderingCancelledException") return;
      throw error;
    }
    const text = document.createElement("div");
    text.className = "textLayer";
    // What was there stays until now: a larger page flickers not.
    this.element.replaceChildren(canvas, text);
    const textContentSource = this.#page.streamTextContent();
    const layer = new this.#TextLayer({ textContentSource, container: text, viewport });
    // Text that cannot be read leaves the picture of it.
    await layer.render().catch(() => text.remove());
  }

  leave() {
    this.#near = false;
    this.#stop();
    const canvas = this.element.querySelector("canvas");
    if (canvas) canvas.width = 0; // Frees its memory now.
    this.element.replaceChildren();
    this.#page?.cleanup();
  }

  #stop() {
    this.#drawing?.cancel();
    this.#drawing = null;
  }
}

export class Pages {
  #root;
  #tell;
  #views;
  #like = null;
  #factor = 1;
  #near = new Set();
  #told = 0;

  constructor(root, { pdf, pages, words, TextLayer, tell }) {
    this.#root = root;
    this.#tell = tell;
    this.pdf = pdf;
    const label = (number) => words.page.replace("{page}", number).replace("{pages}", pages);
    this.#views = Array.from(
      { length: pages },
      (_, at) => new PageView(pdf, at + 1, label(at + 1), TextLayer),
    );
  }

  /** Draw the first page; the others come when they are scrolled to. */
  async start() {
    const first = await this.pdf.getPage(1);
    const { width, height } = first.getViewport({ scale: 1 });
    this.#like = { width, height };
    this.#lay();
    this.#root.append(...this.#views.map((view) => view.element));
    await this.#views[0].draw(this.#scale, this.#like);
    this.#report();
    this.#watch();
  }

  get #scale() {
    const wide = Math.min(this.#root.clientWidth - 16, WIDEST);
    return (Math.max(wide, 100) / this.#like.width) * this.#factor;
  }

  /** The page at the upper third of the frame. */
  get #current() {
    const line = this.#root.scrollTop + this.#root.clientHeight / 3;
    let [low, high] = [0, this.#views.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#views[middle].element.offsetTop <= line) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  #lay() {
    for (const view of this.#views) view.lay(this.#scale, this.#like);
  }

  #watch() {
    const watcher = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const view = this.#views[target.dataset.number - 1];
          if (isIntersecting) this.#come(view);
          else if (this.#near.delete(view)) view.leave();
        }
      },
      { root: this.#root, rootMargin: NEAR },
    );
    for (const view of this.#views) watcher.observe(view.element);
    this.#root.addEventListener("scroll", () => this.#report(), { passive: true });
    let width = this.#root.clientWidth;
    new ResizeObserver(() => {
      if (this.#root.clientWidth === width) return;
      width = this.#root.clientWidth;
      this.#again();
    }).observe(this.#root);
  }

  #come(view) {
    if (this.#near.has(view)) return;
    this.#near.add(view);
    const drawn = view === this.#views[0] && view.element.childElementCount > 0;
    if (!drawn) this.#draw(view);
  }

  #draw(view) {
    // A page that cannot be drawn stays empty: the others are not lost with it.
    view.draw(this.#scale, this.#like).catch((error) => console.debug(error));
  }

  /** Everything anew in another size, at the same place of the same page. */
  #again() {
    const at = this.#current;
    const { element } = this.#views[at - 1];
    const share = (this.#root.scrollTop - element.offsetTop) / element.offsetHeight;
    this.#lay();
    this.#root.scrollTop = element.offsetTop + share * element.offsetHeight;
    for (const view of this.#near) this.#draw(view);
    this.#report();
  }

  #report() {
    const page = this.#current;
    if (page === this.#told) return;
    this.#told = page;
    this.#tell({ page, pages: this.#views.length });
  }

  go(number) {
    const at = Math.min(this.#views.length, Math.max(1, Math.round(Number(number)) || 1));
    this.#root.scrollTop = this.#views[at - 1].element.offsetTop - 8;
    this.#told = 0; // What was typed is corrected, too.
    this.#report();
  }

  step(by) {
    this.go(this.#current + by);
  }

  zoom(by) {
    this.#factor = zoomed(this.#factor, by);
    this.#again();
  }
}
