/* Words, numbers, sizes and times, in the language of the page.
 *
 * The catalogue (/jsi18n/) is loaded before any module that needs this one. Nothing that people read
 * may come by another way.
 */

const language = document.documentElement.lang || undefined;
const { django } = globalThis;

export const { gettext, ngettext } = django;

/** A translated text with its values in it: `fill(gettext("%(name)s was cancelled."), { name })`. */
export function fill(text, values) {
  return django.interpolate(text, values, true);
}

const formats = new Map();

function written(number, options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(language, options));
  return formats.get(key).format(number);
}

export function integer(number) {
  return written(number, {});
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];

function inUnits(bytes, per = "") {
  let unit = 0;
  for (; bytes >= 1024 && unit < 5; unit += 1) bytes /= 1024;
  return written(bytes, {
    style: "unit",
    unit: UNITS[unit] + per,
    unitDisplay: unit || per ? "short" : "long",
    maximumFractionDigits: unit ? 1 : 0,
  });
}

export function size(bytes) {
  return inUnits(bytes);
}

/** Bytes per second. */
export function rate(speed) {
  return inUnits(speed, "-per-second");
}

const whole = (number, unit) =>
  written(number, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });

export function duration(seconds) {
  const total = Math.max(1, Math.round(seconds));
  if (total < 60) return whole(total, "second");
  const minutes = Math.floor(total / 60);
  if (total < 600) return `${whole(minutes, "minute")} ${whole(total % 60, "second")}`;
  if (total < 3_600) return whole(minutes, "minute");
  return `${whole(Math.floor(total / 3_600), "hour")} ${whole(minutes % 60, "minute")}`;
}

/** Parts of a sentence one after the other, as that language does. */
export function together(parts) {
  return parts.join(gettext(", "));
}
