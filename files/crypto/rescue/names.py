"""Names for restored files: those that people gave, made safe for any folder.

The export is trusted as much as its passphrase; a name in it may still come from another system,
so nothing in a name may leave the folder or be taken for something else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from files.crypto.keyexport import Entry

_LONGEST: Final = 200
# Control characters, what a path is made of, and what Windows refuses.
_UNSAFE: Final = re.compile(
    r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069/\\:*?"<>|]'
)
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """A name for a file in a folder: never empty, never a path, at most 200 bytes of UTF-8."""
    safe = _UNSAFE.sub("_", name).strip(" .") or "unnamed"
    if _DEVICES.fullmatch(safe):
        safe = f"_{safe}"
    stem, dot, ending = safe.rpartition(".")
    if not dot or len(ending.encode()) > _LONGEST // 4:
        stem, ending = safe, ""
    else:
        ending = dot + ending
    room = _LONGEST - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def path_for(entry: Entry, folder: Path, taken: set[str]) -> Path:
    """A path for the entry's file that no other file of this run has, whatever its case.

    A second file of one name gets the beginning of its id, so that another run finds it again.
    """
    name = safe_name(entry.name)
    for suffix in ("", f" ({entry.file_id.hex[:8]})", f" ({entry.file_id})"):
        stem, dot, ending = name.rpartition(".")
        path = folder / (f"{stem}{suffix}{dot}{ending}" if stem else f"{name}{suffix}")
        if path.name.casefold() not in taken:
            taken.add(path.name.casefold())
            return path
    raise FileExistsError(f"{name} is taken three times over")
