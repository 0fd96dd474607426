/* Runs in pdf.js's worker, beside it: finds a page by its place, where the document's tree of pages allows that.
 *
 * To find the last page, which it looks for before it shows the first, pdf.js reads every page that stands before it under
 * the same node, because each could be a node of its own. In a document with one flat list of pages between their contents,
 * as word processors and scanners write it, that is all of the file. But where a node counts as many
 * pages as it has kids, each kid is a page (ISO 32000-1, 7.7.3.2): the one that is looked for is at its number.
 *
 * Whatever is not as expected here, in a document or in another release of pdf.js, is left to pdf.js's own search.
 */

/** Trees are a few levels deep; one that leads back into itself never ends. */
const DEEPEST = 32;

/** What pdf.js's search returns, the page's dictionary and its reference; null where only that can tell. */
async function placed({ toplevelPagesDict, xref, pageIndexCache, pageKidsCountCache }, index) {
  let node = toplevelPagesDict;
  let at = index;
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const [kids, count] = await Promise.all([node.getAsync("Kids"), node.getAsync("Count")]);
    if (!Array.isArray(kids)) return null;
    if (kids.length === count) {
      const ref = kids[at];
      if (!Number.isInteger(ref?.num)) return null;
      const page = await xref.fetchAsync(ref);
      if (!page?.getAsync || page.has("Kids") || (await page.getAsync("Type"))?.name !== "Page") return null;
      pageKidsCountCache.put(ref, 1);
      pageIndexCache.put(ref, index);
      return [page, ref];
    }
    const inner = await Promise.all(kids.map((kid) => xref.fetchAsync(kid)));
    node = null;
    for (const one of inner) {
      const pages = one.has("Kids") ? await one.getAsync("Count") : 1;
      if (!Number.isInteger(pages) || pages < 0) return null;
      if (at < pages) {
        node = one;
        break;
      }
      at -= pages;
    }
    if (!node?.has("Kids")) return null;
  }
  return null;
}

function improve(catalog) {
  const search = catalog.getPageDict;
  if (typeof search !== "function") return;
  catalog.getPageDict = async (index) =>
    (await placed(catalog, index).catch(() => null)) ?? search.call(catalog, index);
}

// pdf.js keeps its catalogue to itself, but remembers the tree's root in it by this.
const { defineProperty } = Object;
Object.defineProperty = (object, name, how) => {
  if (name === "toplevelPagesDict") improve(object);
  return defineProperty(object, name, how);
};
