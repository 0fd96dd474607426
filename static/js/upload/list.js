/* The list that files were dropped on: what is new is shown in it, without a jump. */

import { page } from "./requests.js";

const REGIONS = "[data-refresh]";

/** What tells one thing that can be operated from the others, across two versions of the page. */
function mark(element) {
  const { tagName, id, name, value, textContent } = element;
  return JSON.stringify([tagName, id, name, value, element.getAttribute("href"), textContent.trim()]);
}

function ticked(region) {
  return new Set([...region.querySelectorAll("input:checked")].map(mark));
}

/** Put a newer version of a region in its place; what was chosen and where one is stay. */
function replace(region, fresh) {
  const focused = region.contains(document.activeElement) ? mark(document.activeElement) : null;
  const chosen = ticked(region);
  region.replaceChildren(...fresh.childNodes);
  for (const box of region.querySelectorAll("input")) box.checked ||= chosen.has(mark(box));
  if (focused === null) return;
  const all = region.querySelectorAll("a, button, input, select, summary, [tabindex]");
  [...all].find((element) => mark(element) === focused)?.focus({ preventScroll: true });
}

/** Show the list as it is now. False where that could not be done: then a link leads to it. */
export async function refresh() {
  const regions = [...document.querySelectorAll(REGIONS)];
  if (!regions.length) return false;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return false;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Signed out meanwhile, or somebody else: what is shown stays.
    if (fresh.querySelector("[data-uploads]")?.dataset.user !== page.user) return false;
    const newer = new Map([...fresh.querySelectorAll(REGIONS)].map((one) => [one.dataset.refresh, one]));
    if (!regions.every(({ dataset }) => newer.has(dataset.refresh))) return false;
    const { scrollX, scrollY } = window;
    for (const region of regions) {
      replace(region, document.adoptNode(newer.get(region.dataset.refresh)));
      region.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
    }
    scrollTo(scrollX, scrollY);
    return true;
  } catch {
    return false;
  }
}
