/* How large something is shown, against what fits: 1 is the width of the frame. */

const LEAST = 0.25;
const LARGEST = 5;
const STEP = 1.25;

/** Pixels that one canvas has at most: 64 MiB of them. Beyond that, it is drawn coarser. */
export const CANVAS_PIXELS = 4096 * 4096;

/** The next factor: `by` 1 is larger, -1 smaller, 0 back to what fits. */
export function zoomed(factor, by) {
  if (by === 0) return 1;
  return Math.min(LARGEST, Math.max(LEAST, by > 0 ? factor * STEP : factor / STEP));
}
