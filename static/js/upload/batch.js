/* All uploads of this page: which run, how far they are together, and what is done with all of them. */

import { announce, tellsOverview } from "./announcer.js";
import { terminate } from "./client.js";
import { Meter } from "./meter.js";
import * as offers from "./offers.js";
import { panel } from "./requests.js";
import { keepFocus, list } from "./row.js";
import { Transfer } from "./transfer.js";
import { describe } from "./wording.js";
import { duration, fill, gettext, integer, ngettext, rate, size, together } from "./words.js";

/** Browsers open six connections to one site; some must stay free for pages. */
const AT_ONCE = 3;
const TICK = 1_000;
/** More than these are shown when they are asked for. */
const UNFOLDED = 5;

const part = (name) => panel.querySelector(`[data-part="${name}"]`);
const bar = part("total");
const everything = part("everything");
const pauseAll = part("pause-all");
const cancelAll = part("cancel-all");
const close = part("close");
const storedPanel = document.getElementById("stored");
const storedList = storedPanel.querySelector("ul");
const chooser = part("chooser");

const UNDER_WAY = ["running", "waiting", "paused", "offline"];

export class Batch {
  /** `settled` is called when nothing is on its way any more, and something was stored. */
  constructor(settled) {
    this.settled = settled;
    this.transfers = new Set();
    this.counts = new Map();
    this.stored = 0;
    this.sinceSettled = 0;
    this.begin();
    this.meter = new Meter();
    this.terminate = terminate;
    tellsOverview(() => this.overview());
    pauseAll.onclick = () => (this.canPause() ? this.pauseAll() : this.resumeAll());
    cancelAll.onclick = () => this.cancelAll();
    close.onclick = () => {
      this.closed = true;
      this.render();
    };
    setInterval(() => this.tick(), TICK);
  }

  /** What is counted together, until nothing of it is left: files that are done, and their bytes. */
  begin() {
    this.done = { files: 0, bytes: 0 };
  }

  has(address) {
    return Boolean(this.at(address));
  }

  at(address) {
    return [...this.transfers].find((transfer) => transfer.address === address);
  }

  count(...states) {
    return states.reduce((sum, state) => sum + (this.counts.get(state) ?? 0), 0);
  }

  /** A transfer has gone from one state to another; either may be none. */
  moved(from, to) {
    if (from) this.counts.set(from, this.counts.get(from) - 1);
    if (to) this.counts.set(to, (this.counts.get(to) ?? 0) + 1);
    this.changed();
  }

  /** Every file that was chosen is uploaded, whatever others are called: bytes tell them apart. */
  add(items, options) {
    if (!this.isUnderWay) this.begin();
    this.closed = false;
    this.batch = (this.batch ?? 0) + 1;
    for (const { file, path } of items) {
      this.transfers.add(new Transfer(this, file, path, options, this.batch));
    }
    announce();
    this.advance();
  }

  /** Let the files of an offer be chosen again. */
  choose(path, options) {
    chooser.onchange = () => {
      const items = [...chooser.files].map((file) => ({ file, path }));
      chooser.value = "";
      this.add(items, { passphrase: "", ...options });
    };
    chooser.click();
  }

  /** Start as many as may run. */
  advance() {
    for (const transfer of this.transfers) {
      if (this.count("running") >= AT_ONCE) break;
      if (transfer.state === "waiting") transfer.begin();
    }
    if (!this.count("running")) this.meter.rest();
    if (this.isUnderWay || !this.sinceSettled) return;
    this.sinceSettled = 0;
    this.settled();
  }

  /** A file was stored: `item` is its line. */
  finished(transfer, item) {
    this.transfers.delete(transfer);
    this.stored += 1;
    this.sinceSettled += 1;
    this.done.files += 1;
    this.done.bytes += transfer.file.size;
    storedList.append(item);
    // How many they are is said above it.
    storedPanel.querySelector("summary").textContent = gettext("What was stored");
    if (this.stored === UNFOLDED + 1) storedPanel.open = false;
    storedPanel.hidden = false;
    announce();
    this.advance();
  }

  /** Something else was brought: a folder without a file. */
  made() {
    this.sinceSettled += 1;
  }

  gone(transfer) {
    this.transfers.delete(transfer);
    this.changed();
  }

  // --- All at once --------------------------------------------------------------------------------

  canPause() {
    return this.count("running", "waiting", "offline") > 0;
  }

  pauseAll() {
    for (const transfer of this.transfers) {
      if (["running", "waiting", "offline"].includes(transfer.state)) transfer.pause();
    }
  }

  async resumeAll() {
    const paused = [...this.transfers].filter(({ state }) => state === "paused");
    await Promise.all(paused.map((transfer) => transfer.resume()));
  }

  async cancelAll() {
    const all = [...this.transfers].filter(({ state }) => UNDER_WAY.includes(state));
    await Promise.all(all.map((transfer) => transfer.cancel(true)));
    announce(
      fill(ngettext("%(count)s upload was cancelled.", "%(count)s uploads were cancelled.", all.length), {
        count: integer(all.length),
      }),
    );
  }

  // --- How it stands ------------------------------------------------------------------------------

  tick() {
    if (!this.count("running")) return;
    for (const transfer of this.transfers) if (transfer.state === "running") describe(transfer);
    this.render();
  }

  /** Show it soon: a hundred changes at once are one. */
  changed() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      this.render();
    });
    // In a tab that is not looked at there are no frames.
    if (document.hidden) this.render();
  }

  render() {
    const under = this.count(...UNDER_WAY);
    const open = this.transfers.size || offers.count() || this.stored || list.children.length;
    panel.hidden = !open || (this.closed && !under);
    close.hidden = under > 0;
    everything.hidden = this.transfers.size < 2 || !under;
    if (everything.hidden && everything.contains(document.activeElement)) keepFocus();
    pauseAll.textContent = this.canPause() ? gettext("Pause all") : gettext("Resume all");
    bar.hidden = !under;
    const { sent, total } = this.totals();
    bar.max = total || 1;
    bar.value = total ? sent : 0;
    const words = under ? this.pace(sent, total) : this.overview();
    bar.setAttribute("aria-valuetext", words);
    part("summary").textContent = words;
  }

  totals() {
    let { bytes: sent, bytes: total } = this.done;
    for (const transfer of this.transfers) {
      if (!UNDER_WAY.includes(transfer.state)) continue;
      sent += transfer.sent;
      total += transfer.file.size;
    }
    return { sent, total };
  }

  /** All of it in a line, for who looks on. */
  pace(sent, total) {
    const { files } = this.done;
    const all = files + this.count(...UNDER_WAY);
    const parts = [
      fill(ngettext("%(done)s of %(count)s file", "%(done)s of %(count)s files", all), {
        done: integer(files),
        count: integer(all),
      }),
      fill(gettext("%(done)s of %(total)s"), { done: size(sent), total: size(total) }),
    ];
    const { speed } = this.meter;
    if (speed) {
      parts.push(rate(speed));
      if (sent < total) {
        parts.push(fill(gettext("%(time)s left"), { time: duration((total - sent) / speed) }));
      }
    }
    return together([...parts, ...this.standing()]);
  }

  /** What is neither stored nor on its way. */
  standing() {
    const [paused, offline, failed] = ["paused", "offline", "failed"].map((state) => this.count(state));
    const parts = [];
    const told = (count, one) => count && parts.push(fill(one, { count: integer(count) }));
    told(paused, ngettext("%(count)s file paused", "%(count)s files paused", paused));
    told(
      offline,
      ngettext(
        "%(count)s file waiting for the connection",
        "%(count)s files waiting for the connection",
        offline,
      ),
    );
    told(failed, ngettext("%(count)s file not stored", "%(count)s files not stored", failed));
    return parts;
  }

  /** For who listens: how many are where, and no number that changes by itself. */
  overview() {
    const going = this.count("running", "waiting");
    const count = integer(this.stored);
    if (this.stored && !this.transfers.size) {
      return fill(
        ngettext("All done: %(count)s file stored.", "All done: %(count)s files stored.", this.stored),
        { count },
      );
    }
    const parts = this.standing();
    if (going) {
      const words = ngettext("%(count)s file on the way", "%(count)s files on the way", going);
      parts.unshift(fill(words, { count: integer(going) }));
    }
    if (this.stored) {
      const words = ngettext("%(count)s file stored", "%(count)s files stored", this.stored);
      parts.push(fill(words, { count }));
    }
    return parts.length ? fill(gettext("%(parts)s."), { parts: together(parts) }) : "";
  }

  get isUnderWay() {
    return this.count(...UNDER_WAY) > 0;
  }
}
