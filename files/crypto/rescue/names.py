"""Names for restored files: those that people gave, made safe for any folder.

The export is trusted as much as its passphrase; a name in it may still come from another system,
so nothing in a name may leave the folder or be taken for something else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, count
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

from files.crypto.keyexport.entries import Above, Entry
from files.crypto.portable import marked, portable_name, same_file, split_ending

_LONGEST: Final = 200
"""Bytes: room is left for an id that tells two names apart, and for a temporary ending."""

_LONGEST_PATH: Final = 3000
"""Bytes below the target, as many folders as there are: Linux takes 4096 in all."""

_SHORTEST: Final = 40

TRASH: Final = "In the trash"
"""Below the target, for what was put away."""


def safe_name(name: str, *, longest: int = _LONGEST) -> str:
    """A name for a file in a folder of any system: never a path, at most 200 bytes of UTF-8."""
    # All that was there shows, as a `_`: whoever restores has nothing else to tell names apart by.
    told = re.sub(r"[/\\]", "_", marked(name, "_")).strip(" .")
    return portable_name(told, longest=longest)


def dated_name(entry: Entry) -> str:
    """The file's name; a former version's has the time when it was uploaded in it."""
    if not entry.is_former:
        return entry.name
    try:
        moment = datetime.fromisoformat(entry.uploaded_at or entry.superseded_at)
        said = f"{moment:%Y-%m-%d %H.%M.%S}"
    except ValueError:
        said = f"version {entry.version}"
    stem, ending = split_ending(safe_name(entry.name, longest=_LONGEST - len(said.encode()) - 3))
    return f"{stem} ({said}){ending}"


class Places:
    """Where each entry's file goes below the target, so that no two are one on any system.

    Each owner has a directory with the tree that was theirs; an export that says nothing of trees
    gives one directory with all. What was put away is in a directory of its own. `done` are the
    paths, below the target, that an earlier run gave, with their entries as it listed them: they
    stay taken, and folders get the directories that they had.
    """

    def __init__(self, target: Path, done: Iterable[tuple[PurePath, Mapping[str, Any]]]) -> None:
        self._target = target
        self._taken: defaultdict[PurePath, set[str]] = defaultdict(set)
        self._directories: dict[tuple[object, ...], PurePath] = {}
        for path, listed in done:
            for part in (path, *path.parents[:-1]):
                self._taken[part.parent].add(same_file(part.name))
            self._remember(path, listed)
        self._taken[PurePath()].add(same_file(TRASH))

    def _remember(self, path: PurePath, listed: Mapping[str, Any]) -> None:
        """The directories on the way to a file, by what they are of."""
        try:
            folders = [Above.from_dict(one) for one in listed["folders"]]
            owner, asleep = str(listed["owner"]), path.parts[0] == TRASH
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return
        above = list(reversed(path.parents))[1 + asleep :]
        for key, directory in zip(_keys(owner, folders, asleep=asleep), above, strict=False):
            self._directories[key] = directory

    def path_for(self, entry: Entry) -> Path:
        """A path that no other file of this target has, its directories made.

        A second file of one name gets the beginning of its id. Raises OSError.
        """
        directory = self._directory(entry)
        if not (self._target / directory).is_dir():
            self._make(directory)
        name = safe_name(dated_name(entry))
        apart = _apart(entry.file_id)
        if entry.is_former:
            apart = (f"version {entry.version}", str(entry.context.stream_id))
        return self._target / directory / self._own(directory, name, apart)

    def _directory(self, entry: Entry) -> PurePath:
        if entry.folders is None:
            return PurePath()
        at = PurePath(TRASH) if entry.is_asleep else PurePath()
        keys = _keys(entry.owner, entry.folders, asleep=entry.is_asleep)
        names = [entry.owner, *(folder.name for folder in entry.folders)]
        for key, name in zip(keys, names, strict=True):
            known = self._directories.get(key)
            if known is None:
                # The names of deep trees are cut, so that no path is longer than a system takes.
                left = (_LONGEST_PATH - len(str(at).encode())) // 4
                longest = max(_SHORTEST, min(_LONGEST, left))
                apart = _apart(key[1]) if key[1] is not None else ()
                known = at / self._own(at, safe_name(name, longest=longest), apart)
                self._directories[key] = known
            at = known
        return at

    def _own(self, directory: PurePath, name: str, apart: Sequence[str]) -> str:
        """The name, or another one that tells it from what is there."""
        stem, ending = split_ending(name)
        taken = self._taken[directory]
        numbered = (str(number) for number in count(2))
        for told in chain([""], apart, numbered):
            tried = f"{stem} ({told}){ending}" if told else name
            if same_file(tried) not in taken:
                taken.add(same_file(tried))
                return tried
        raise AssertionError("numbers do not end")

    def _make(self, directory: PurePath) -> None:
        """Make it, and never through a link that somebody put there."""
        at = self._target
        for part in directory.parts:
            at = at / part
            if at.is_symlink():
                raise FileExistsError(17, "is a link", str(at))
            at.mkdir(mode=0o700, exist_ok=True)


def _apart(found: UUID) -> tuple[str, str]:
    """What tells it from another one of its name: the beginning of its id, or all of it."""
    return found.hex[:8], str(found)


def _keys(
    owner: str, folders: Iterable[Above], *, asleep: bool
) -> list[tuple[bool, UUID | None, str]]:
    """What each directory on the way is of: of the owner, and then of each folder."""
    of_folders = [(asleep, folder.folder_id, str(folder.folder_id)) for folder in folders]
    return [(asleep, None, owner), *of_folders]
