/* What runs in the frame: takes one port, shows one document of the kind that it is told. */

import "./lockdown.js";
import { Channel } from "./channel.js";

const KINDS = { pdf: "./pdf.js", image: "./image.js", text: "./text.js" };
const KEYS = new Map([
  ["+", ["zoom", 1]],
  ["=", ["zoom", 1]],
  ["-", ["zoom", -1]],
  ["0", ["zoom", 0]],
  ["ArrowLeft", ["step", -1]],
  ["ArrowRight", ["step", 1]],
]);

const root = document.querySelector("main");

async function start({ kind, size, words }, port) {
  let shown = null;
  const obey = async (name, value) => shown?.[name]?.(value);
  // What it could not do for lack of bytes, the page has said.
  const channel = new Channel(port, (...what) => obey(...what).catch(console.debug));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return channel.say({ do: "leave" });
    const [name, value] = KEYS.get(event.key) ?? [];
    // Where something is wider than the frame, the arrows scroll it.
    const sideways = name === "step" && root.scrollWidth > root.clientWidth;
    if (!name || !shown?.[name] || sideways) return;
    event.preventDefault();
    shown[name](value);
  });
  root.setAttribute("aria-label", words.label);
  try {
    const { Shown } = await import(KINDS[kind]);
    shown = new Shown(root, channel, { size, words });
    await shown.start();
  } catch (error) {
    console.debug(error);
    channel.fail(error.reason ?? "broken");
  }
}

addEventListener("message", function first(event) {
  const ours = new URL(document.baseURI).origin;
  if (event.source !== parent || event.origin !== ours || event.data?.do !== "show") return;
  removeEventListener("message", first);
  start(event.data, event.ports[0]);
});
parent.postMessage({ do: "ready" }, "*");
