/* What was dropped or chosen, as files with the folders that they stood in: `{ file, path }`. */

/** All entries of a folder. A browser hands over a hundred at a time, until there are none. */
async function entriesOf(directory) {
  const reader = directory.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

async function walk(directory, above, into) {
  const path = above ? `${above}/${directory.name}` : directory.name;
  let entries;
  try {
    entries = await entriesOf(directory);
  } catch {
    into.unread.push(path);
    return;
  }
  if (!entries.length) into.empty.push(path);
  for (const entry of entries) {
    if (entry.isDirectory) {
      await walk(entry, path, into);
    } else {
      try {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        into.items.push({ file, path });
      } catch {
        into.unread.push(`${path}/${entry.name}`);
      }
    }
  }
}

/**
 * Files, and folders as entries, with all that is below them: `items`, the paths of folders that are
 * `empty`, and what this browser could not read.
 */
export async function unfolded(found) {
  const into = { items: [], empty: [], unread: [] };
  for (const one of found) {
    if (one.isDirectory) await walk(one, "", into);
    else into.items.push({ file: one, path: "" });
  }
  return into;
}

/** The files of a field; those of a folder that was chosen know where they stood. */
export function chosen(field) {
  return [...field.files].map((file) => {
    const way = (file.webkitRelativePath || "").split("/");
    return { file, path: way.slice(0, -1).join("/") };
  });
}
