/* The one place where uploads speak up: screen readers read it out, so it speaks seldom. */

/** Milliseconds between two announcements, and until the first one: more may come at once. */
const BETWEEN = 3_000;
const GATHER = 150;
/** More news than these are no news, but noise: the list has them. */
const MOST = 2;

const region = document.getElementById("uploads-said");
let news = [];
let overview = () => "";
let last = -Infinity;
let timer = null;

/** Where the state of all uploads is told, for the end of each announcement. */
export function tellsOverview(told) {
  overview = told;
}

/** Announce soon how it stands, with that piece of news if there is one. */
export function announce(text = "") {
  if (text) news.push(text);
  if (timer !== null) return;
  timer = setTimeout(speak, Math.max(GATHER, last + BETWEEN - performance.now()));
}

function speak() {
  timer = null;
  const told = news.length > MOST ? news.slice(-1) : news;
  const text = [...told, overview()].filter(Boolean).join(" ");
  news = [];
  if (text === region.textContent) return;
  region.textContent = text;
  last = performance.now();
}
