/* Buttons above what is shown: pages and zoom. They do nothing by themselves: `act` is told. */

export class Controls {
  #root;
  #page;
  #pages;

  constructor(root, act) {
    this.#root = root;
    this.#page = root.querySelector("[data-page]");
    this.#pages = root.querySelector("[data-pages]");
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.zoom) act("zoom", Number(button.dataset.zoom));
      if (button.dataset.step) act("page", this.#now() + Number(button.dataset.step));
      if ("more" in button.dataset) act("more");
    });
    this.#page?.addEventListener("change", () => act("page", this.#now()));
  }

  /** What is shown now: `page` of `pages`, and whether there is `more` of it. */
  state({ page, pages, more }) {
    for (const control of this.#root.querySelectorAll("button:not([data-more]), input")) {
      control.disabled = false;
    }
    const button = this.#root.querySelector("[data-more]");
    if (button) button.hidden = more !== true;
    if (!this.#page || !Number.isSafeInteger(pages) || !Number.isSafeInteger(page)) return;
    this.#page.max = pages;
    // Not under the fingers of who types a number.
    if (document.activeElement !== this.#page) this.#page.value = page;
    this.#pages.textContent = pages;
    this.#step(-1).disabled = page <= 1;
    this.#step(1).disabled = page >= pages;
  }

  #step(by) {
    return this.#root.querySelector(`[data-step="${by}"]`);
  }

  #now() {
    return Number(this.#page.value) || 1;
  }
}
