"""Names for restored files: those that people gave, made safe for any folder.

The export is trusted as much as its passphrase; a name in it may still come from another system,
so nothing in a name may leave the folder or be taken for something else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from files.crypto.keyexport import Entry
from files.crypto.portable import marked, portable_name, same_file

_LONGEST: Final = 200
"""Bytes: room is left for an id that tells two names apart, and for a temporary ending."""


def safe_name(name: str) -> str:
    """A name for a file in a folder of any system: never a path, at most 200 bytes of UTF-8."""
    # All that was there shows, as a `_`: whoever restores has nothing else to tell names apart by.
    told = re.sub(r"[/\\]", "_", marked(name, "_")).strip(" .")
    return portable_name(told, longest=_LONGEST)


def path_for(entry: Entry, folder: Path, taken: set[str]) -> Path:
    """A path for the entry's file that no other file of this run has, whatever its case or form.

    A second file of one name gets the beginning of its id, so that another run finds it again.
    """
    name = safe_name(entry.name)
    for suffix in ("", f" ({entry.file_id.hex[:8]})", f" ({entry.file_id})"):
        stem, dot, ending = name.rpartition(".")
        path = folder / (f"{stem}{suffix}{dot}{ending}" if stem else f"{name}{suffix}")
        if same_file(path.name) not in taken:
            taken.add(same_file(path.name))
            return path
    raise FileExistsError(f"{name} is taken three times over")
