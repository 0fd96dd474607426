/* The form that shares: one field for people and groups, with suggestions while one types.
 *
 * A combobox with a list, as the ARIA Authoring Practices describe it: the focus stays in the field,
 * `aria-activedescendant` names the suggestion that Enter takes. What was chosen stands before it as
 * chips. The form's own field, which works without this script, carries what is sent: one name a
 * line. All words come from the page.
 */

const SHORTEST = 2;
const PAUSE = 150; // Milliseconds without a key before anything is asked for.

/** A field of the form becomes a combobox. */
class Recipients {
  constructor(form) {
    this.form = form;
    this.pieces = form.querySelector("template[data-pieces]").content;
    this.said = form.querySelector("[data-said]");
    this.noted = form.querySelector("[data-noted]");
    this.field = form.querySelector("[data-recipients] textarea");
    this.options = [];
    this.active = -1;
    this.build();
    for (const line of this.field.value.split("\n")) this.add(chosen(line));
    this.input.addEventListener("input", () => this.type());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => this.close());
    form.addEventListener("submit", () => this.fill());
  }

  build() {
    const { field } = this;
    this.box = document.createElement("div");
    this.box.className = "chips";
    this.chips = document.createElement("ul");
    this.chips.setAttribute("aria-label", this.said.dataset.listed);
    this.input = document.createElement("input");
    this.input.id = field.id;
    Object.assign(this.input, { type: "text", autocomplete: "off", spellcheck: false, dir: "auto" });
    this.list = document.createElement("div");
    Object.assign(this.list, { id: `${field.id}_list`, className: "suggestions", hidden: true });
    const described = field.getAttribute("aria-describedby");
    set(this.list, { role: "listbox", "aria-label": this.said.dataset.suggested });
    set(this.input, {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": this.list.id,
      ...(described && { "aria-describedby": described }),
      ...(field.getAttribute("aria-invalid") && { "aria-invalid": "true" }),
    });
    // It carries what is sent, and is neither shown nor asked for.
    field.removeAttribute("id");
    field.required = false;
    field.hidden = true;
    this.box.append(this.chips, this.input, this.list);
    field.before(this.box);
    this.box.addEventListener("mousedown", (event) => {
      if (event.target !== this.box && event.target !== this.chips) return;
      event.preventDefault();
      this.input.focus();
    });
  }

  /** What is typed is asked for, once there was a pause. */
  type() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.pending = null;
    const text = this.input.value.trim();
    if (text.length < SHORTEST) return this.close();
    this.pending = new Promise((done) => {
      this.timer = setTimeout(() => this.ask(text).then(done), PAUSE);
    });
  }

  async ask(text) {
    this.asked = new AbortController();
    const address = `${this.form.dataset.suggest}?${new URLSearchParams({ q: text })}`;
    try {
      const answer = await fetch(address, {
        headers: { Accept: "application/json" },
        signal: this.asked.signal,
      });
      this.note(answer.status === 429 ? this.said.dataset.busy : "");
      if (!answer.ok) return this.close();
      const { suggestions } = await answer.json();
      if (this.input.value.trim() === text) this.show(suggestions);
    } catch {
      // No network, or a newer question: names can be typed in full all the same.
      this.close();
    }
  }

  show(suggestions) {
    const there = new Set(this.values());
    const options = suggestions.map(chosen).filter((one) => !there.has(one.value));
    this.close();
    if (!options.length) return this.say(this.said.dataset.none);
    this.options = options;
    this.list.replaceChildren(...options.map((one, place) => this.option(one, place)));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.point(0);
    this.say(`${this.said.dataset.found} ${options.length}`);
  }

  option(one, place) {
    const element = this.pieces.querySelector("[role=option]").cloneNode(true);
    const kind = element.querySelector(".suggestion-kind");
    element.id = `${this.list.id}_${place}`;
    element.setAttribute("aria-selected", "false");
    kind.textContent = kind.dataset[one.kind] ?? "";
    element.querySelector("[data-label]").textContent = one.label;
    element.querySelector("[data-detail]").textContent = one.detail;
    // Before the field loses the focus, which would close the list.
    element.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.choose(place);
    });
    return element;
  }

  point(place) {
    const elements = [...this.list.children];
    this.active = (place + elements.length) % elements.length;
    elements.forEach((one, at) => one.setAttribute("aria-selected", String(at === this.active)));
    this.input.setAttribute("aria-activedescendant", elements[this.active].id);
    elements[this.active].scrollIntoView({ block: "nearest" });
  }

  close() {
    this.options = [];
    this.active = -1;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  press(event) {
    const open = !this.list.hidden;
    if (event.isComposing) return;
    if (event.key === "Enter") return this.enter(event);
    if (event.key === "Backspace" && !this.input.value) return this.removeLast();
    if (!open) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "ArrowDown") this.point(this.active + 1);
    else if (event.key === "ArrowUp") this.point(this.active - 1);
    else return;
    event.preventDefault();
  }

  /** Take the suggestion, or what was typed; with nothing typed, Enter sends the form. */
  async enter(event) {
    const text = this.input.value.trim();
    if (!text) return;
    event.preventDefault();
    await this.pending;
    if (this.input.value.trim() !== text) return;
    if (this.active >= 0) return this.choose(this.active);
    this.take();
  }

  /** What was typed, as it is: the server finds whom it means, or says why not. */
  take() {
    for (const name of this.input.value.split(/[,;\n]/)) this.add(chosen(name), true);
    this.input.value = "";
    this.close();
  }

  choose(place) {
    this.add(this.options[place], true);
    this.input.value = "";
    this.close();
  }

  add(one, aloud = false) {
    if (!one.value || this.values().includes(one.value)) return;
    const chip = document.createElement("li");
    chip.append(this.pieces.querySelector(".chip").cloneNode(true));
    chip.dataset.value = one.value;
    chip.querySelector(".chip-name").textContent = one.label;
    chip.querySelector("[data-name]").textContent = one.label;
    const kind = this.pieces.querySelector(".suggestion-kind").dataset[one.kind];
    const detail = chip.querySelector("[data-detail]");
    detail.textContent = one.kind === "group" ? one.detail || kind : "";
    detail.hidden = !detail.textContent;
    chip.querySelector(".chip-remove").addEventListener("click", () => this.remove(chip));
    this.chips.append(chip);
    this.input.required = false;
    if (aloud) this.say(`${this.said.dataset.added} ${one.label}`);
  }

  remove(chip) {
    const name = chip.querySelector(".chip-name").textContent;
    chip.remove();
    this.input.required = !this.values().length;
    this.say(`${this.said.dataset.removed} ${name}`);
    this.input.focus();
  }

  removeLast() {
    if (this.chips.lastElementChild) this.remove(this.chips.lastElementChild);
  }

  values() {
    return [...this.chips.children].map((chip) => chip.dataset.value);
  }

  fill() {
    const typed = this.input.value.trim();
    this.field.value = [...this.values(), ...(typed ? [typed] : [])].join("\n");
  }

  say(text) {
    this.said.textContent = text;
  }

  /** Say it where it is seen, too; nothing takes it away. */
  note(text) {
    if (this.noted.textContent === text) return;
    this.noted.textContent = text;
    this.noted.hidden = !text;
    if (text) this.say(text);
  }
}

/** A suggestion, or a line of text, as somebody chosen: `user:` and `group:` mean nobody else. */
function chosen(given) {
  if (typeof given !== "string") {
    const { kind, label, detail } = given;
    // Of a person the detail is the user name, unless that is the label.
    return { kind, label, detail, value: `${kind}:${(kind === "user" && detail) || label}` };
  }
  const value = given.trim();
  const [, kind = "", label = value] = /^(user|group):\s*(.+)$/.exec(value) ?? [];
  return { kind, label, detail: "", value };
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

/** The day is for “on a date” alone. */
function chooseEnd(form) {
  const until = form.querySelector("select[name=until]");
  const field = form.querySelector("[data-day]");
  const day = field.querySelector("input");
  const show = () => {
    field.classList.toggle("shown", until.value === "date" || Boolean(day.value));
  };
  until.addEventListener("change", () => {
    if (until.value !== "date") day.value = "";
    show();
    if (until.value === "date") day.focus();
  });
  show();
}

async function copy(button) {
  const address = button.parentElement.querySelector("[data-address]");
  try {
    await navigator.clipboard.writeText(address.textContent);
    button.textContent = button.dataset.done;
  } catch {
    // No permission, or not HTTPS: at least it is one keystroke from there.
    getSelection().selectAllChildren(address);
  }
}

for (const form of document.querySelectorAll("[data-share]")) {
  const recipients = new Recipients(form);
  chooseEnd(form);
  if (!document.querySelector("[data-hand-over]")) recipients.input.focus({ preventScroll: true });
}
for (const button of document.querySelectorAll("[data-copy-address]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
