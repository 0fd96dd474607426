/* What is said of one upload while it is on its way: how far it is, how fast, and how long yet. */

import { duration, fill, gettext, rate, size, together } from "./words.js";

/** Show in its row how a transfer stands. */
export function describe(transfer) {
  const { row, state, sent, file } = transfer;
  if (state === "running" && transfer.comparing) return describeComparing(row, transfer.comparing);
  const both = { done: size(sent), total: size(file.size) };
  const words = {
    waiting: () => fill(gettext("%(total)s, waiting for its turn"), both),
    running: () => pace(transfer, fill(gettext("%(done)s of %(total)s"), both)),
    paused: () => fill(gettext("Paused at %(done)s of %(total)s"), both),
    offline: () =>
      fill(
        gettext("No connection at %(done)s of %(total)s. It goes on when the connection is back."),
        both,
      ),
    failed: () => fill(gettext("Stopped at %(done)s of %(total)s"), both),
  }[state]?.();
  if (!words) return;
  row.say(state, words);
  row.show(sent, file.size, words);
}

/** The file is read, to find out whether it is what the server has. */
function describeComparing(row, { chain, until, why }) {
  const done = Math.min(chain.read, until);
  const values = { why, done: size(done), total: size(until) };
  const words = fill(gettext("%(why)s: %(done)s of %(total)s read"), values);
  row.say("running", words);
  row.show(done, until, words);
}

function pace({ sent, file, retrying, meter }, bytes) {
  if (sent >= file.size) return together([bytes, gettext("finishing")]);
  if (retrying) return together([bytes, gettext("connecting again")]);
  const { speed } = meter;
  if (!speed) return bytes;
  const time = duration((file.size - sent) / speed);
  return together([bytes, rate(speed), fill(gettext("%(time)s left"), { time })]);
}

/** What is said of a file once it is stored: a line with a link to it, and what is to be known. */
export function storedLine(address, name, about, notes) {
  const link = document.createElement(address ? "a" : "span");
  if (address) link.href = address;
  link.className = "name";
  link.append(document.createElement("bdi"));
  link.firstChild.textContent = name;
  const item = document.createElement("li");
  item.append(link, together(["", ...about]));
  if (notes.length) item.append(`. ${notes.join(" ")}`);
  return item;
}
