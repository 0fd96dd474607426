/* The frame that a document is drawn in, seen from the page. It is never trusted: it is handed bytes
 * and the page's words, and what it says is checked for what it may mean.
 *
 * It has an opaque origin (`sandbox="allow-scripts"` and nothing else) and is spoken to through one
 * port, given once, to the first document in it. The page's policy lets no other one in.
 */

const COMMANDS = new Set(["page", "zoom", "more"]);

export class Frame {
  #element;
  #port;

  /** Make the frame in `stage`. `serve` answers what it asks for, `tell` hears what it says. */
  constructor(stage, { address, title, first, serve, tell }) {
    this.#element = document.createElement("iframe");
    this.#element.setAttribute("sandbox", "allow-scripts");
    this.#element.setAttribute("referrerpolicy", "no-referrer");
    this.#element.title = title;
    const hear = (event) => {
      if (event.source !== this.#element.contentWindow || event.data?.do !== "ready") return;
      removeEventListener("message", hear);
      const { port1, port2 } = new MessageChannel();
      this.#port = port1;
      port1.addEventListener("message", ({ data }) => this.#answer(data, serve, tell));
      port1.start();
      // An opaque origin has no name that could be asked for here.
      event.source.postMessage({ do: "show", ...first }, "*", [port2]);
    };
    addEventListener("message", hear);
    this.#element.src = address;
    stage.append(this.#element);
  }

  command(name, value) {
    if (COMMANDS.has(name)) this.#port?.postMessage({ do: name, value });
  }

  hide() {
    this.#element.hidden = true;
  }

  async #answer(message, serve, tell) {
    if (typeof message !== "object" || message === null) return;
    if (!("id" in message)) return tell(message);
    const reply = { do: "answer", id: message.id };
    try {
      const bytes = await serve(message);
      this.#port.postMessage({ ...reply, bytes }, [bytes]);
    } catch {
      this.#port.postMessage({ ...reply, bytes: null });
    }
  }
}
