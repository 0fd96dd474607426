/* What every request to the server needs: where, in whose session, and what its refusals mean. */

export const panel = document.querySelector("[data-uploads]");
/** Addresses and limits, as the page has them. */
export const page = panel.dataset;

const token = panel.querySelector("[name=csrfmiddlewaretoken]");

export class SignedOut extends Error {}
/** The server says no, and in its message why. */
export class Refused extends Error {}

export const csrf = () => token.value;

/**
 * A 401, and a 403 that does not speak the protocol, which is that of a token of another session, say
 * that nobody is signed in here any more. A 403 in words is a refusal to this very person. Thrown
 * after each answer: the client would take either for an upload that is gone, and forget it.
 */
export function refuse(status, words, speaks) {
  if (status === 401 || (status === 403 && !speaks)) throw new SignedOut();
  if (status === 403) throw new Refused(words.trim());
}

/** Take over the session of another tab. False while nobody, or another person, is signed in. */
export async function renewSession() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = fresh.querySelector("[data-uploads]");
  if (found?.dataset.user !== page.user) return false;
  const { value } = found.querySelector("[name=csrfmiddlewaretoken]");
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = value;
  return true;
}

export function post(address, fields) {
  const body = new URLSearchParams(fields);
  const headers = { "X-CSRFToken": csrf(), Accept: "text/plain" };
  return fetch(address, { method: "POST", body, headers, redirect: "manual" });
}

/** What the server has of an upload. */
export function ask(address) {
  const headers = { "Tus-Resumable": "1.0.0" };
  return fetch(address, { method: "HEAD", headers, cache: "no-store" });
}
