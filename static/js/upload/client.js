/* What tus-js-client is told for every upload: where, for whom, and what is worth another attempt. */

import { Refused, SignedOut, csrf, page, refuse } from "./requests.js";

/** Waits between two attempts, in milliseconds: ten minutes in all, and anew after any progress. */
const RETRY_DELAYS = [0, 1_000, 3_000, 5_000, 10_000, ...Array(30).fill(20_000)];
/** Says which bytes are safe, in both directions (docs/uploads.md). */
export const CHAIN = "Upload-Content-Chain";

/** The file is no longer what was chosen: browsers refuse to read it then. */
export class Unreadable extends Error {}
/** The upload was let go of while something was waited for. */
export class LetGo extends Error {}

const FINAL = [SignedOut, Refused, Unreadable, LetGo];

export function shouldRetry(error) {
  if (FINAL.some((kind) => error.causingError instanceof kind) || !navigator.onLine) return false;
  const status = error.originalResponse?.getStatus() ?? 0;
  if (status === 409 && error.originalResponse.getHeader(CHAIN)) return false;
  // A name that is taken, and was to be refused then: no request can mend it.
  if (status === 409 && error.originalRequest?.getMethod() === "POST") return false;
  return status === 0 || status >= 500 || [408, 409, 423, 429].includes(status);
}

export const common = {
  endpoint: new URL(page.tus, location.href).href,
  chunkSize: Infinity,
  retryDelays: RETRY_DELAYS,
  removeFingerprintOnSuccess: true,
  onShouldRetry: shouldRetry,
  // Read anew for each request: it changes when one signs in again.
  onBeforeRequest: (request) => request.setHeader("X-CSRFToken", csrf()),
  onAfterResponse: (_, response) =>
    refuse(response.getStatus(), response.getBody() ?? "", response.getHeader("Tus-Resumable")),
};

/** Make the server forget an upload; it matters not whether it still knew it. */
export async function terminate(address) {
  try {
    await tus.Upload.terminate(address, { ...common, retryDelays: [0, 1_000] });
  } catch (error) {
    if (![404, 410].includes(error.originalResponse?.getStatus())) throw error;
  }
}

/** When the file was last changed, where its computer says so in a way that others understand. */
export function modified(file) {
  const moment = new Date(file.lastModified);
  const year = moment.getUTCFullYear();
  return year > 100 && year < 9999 ? { modified: moment.toISOString() } : {};
}
