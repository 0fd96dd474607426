/* A row of the list of uploads: a name, a bar, some words and at most two buttons. */

import { fill, gettext } from "./words.js";
import { panel } from "./requests.js";

export const list = panel.querySelector('[data-part="rows"]');
const heading = panel.querySelector("h2");
const template = document.getElementById("transfer").content.firstElementChild;

/** Where the keyboard is when what it was on has gone. */
export function keepFocus(beside) {
  const next = beside?.querySelector?.("button:not([hidden])");
  (next ?? list.querySelector("button:not([hidden])") ?? heading).focus({ preventScroll: true });
}

export class Row {
  constructor(name, path = "") {
    this.name = name;
    this.element = template.cloneNode(true);
    this.part("name").textContent = name;
    const place = this.part("place");
    place.hidden = !path;
    place.textContent = path;
    this.bar = this.part("bar");
    this.bar.setAttribute("aria-label", fill(gettext("Progress of %(name)s"), { name }));
    list.append(this.element);
    panel.hidden = false;
  }

  part(name) {
    return this.element.querySelector(`[data-part="${name}"]`);
  }

  say(state, detail) {
    if (this.element.dataset.state !== state) this.element.dataset.state = state;
    this.part("detail").textContent = detail;
  }

  show(done, total, words) {
    const percent = total ? Math.floor((100 * done) / total) : 100;
    this.bar.max = total || 1;
    this.bar.value = total ? done : 1;
    this.bar.setAttribute("aria-valuetext", `${percent}%, ${words}`);
  }

  /** Something to know that is no trouble; it stays. */
  note(text) {
    this.write("note", text);
  }

  /** What is wrong; it is announced with all other news, and not by itself. */
  complain(text) {
    this.write("problem", text);
  }

  write(part, text) {
    const element = this.part(part);
    element.hidden = !text;
    element.textContent = text;
  }

  /** The button to pause, resume or choose; `name` is what it says to who does not see the row. */
  toggle(label, name, action) {
    const button = this.part("toggle");
    button.hidden = !label;
    if (label) button.textContent = label;
    if (label) button.setAttribute("aria-label", name);
    button.onclick = action ?? null;
  }

  /** The ✕. */
  close(name, action) {
    const button = this.part("cancel");
    button.setAttribute("aria-label", name);
    button.title = name;
    button.onclick = action;
  }

  remove() {
    const hadFocus = this.element.contains(document.activeElement);
    const beside = this.element.nextElementSibling ?? this.element.previousElementSibling;
    this.element.remove();
    if (hadFocus) keepFocus(beside);
  }
}
