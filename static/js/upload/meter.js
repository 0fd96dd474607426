/* How fast bytes went lately. What was sent before a pause says nothing about what comes after it. */

/** Milliseconds that are looked back at, at most; and at least, before anything is said. */
const WINDOW = 8_000;
const LEAST = 1_000;

export class Meter {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.rest();
  }

  /** Nothing is sent now. */
  rest() {
    this.begun = null;
    this.samples = [];
  }

  /** From now on something is. */
  begin() {
    this.begun ??= this.now();
  }

  add(bytes) {
    this.begin();
    this.samples.push({ at: this.now(), bytes });
  }

  /** Bytes per second; null as long as it cannot be told. */
  get speed() {
    if (this.begun === null) return null;
    const now = this.now();
    const since = Math.max(this.begun, now - WINDOW);
    if (now - since < LEAST) return null;
    this.samples = this.samples.filter(({ at }) => at >= since);
    const bytes = this.samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return (1_000 * bytes) / (now - since);
  }
}
