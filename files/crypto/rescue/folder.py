"""A whole folder of downloaded objects, and the export that has their keys: trees come back.

Safe to stop and to run again: files get their names when they are complete, and a list beside
them, `rescued.jsonl`, says which stream each was restored from.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

from files.crypto.errors import Damaged, MalformedKey, WrongKey
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.reading import KeyExport
from files.crypto.rescue.keys import UserKeys
from files.crypto.rescue.names import Places
from files.crypto.rescue.outcome import Outcome, Status
from files.crypto.rescue.restore import Progress, restore
from files.crypto.salvage import read_trailer
from files.crypto.stream.keys import Context

LIST_NAME: Final = "rescued.jsonl"

Done = dict[UUID, tuple[PurePath, Mapping[str, Any]]]
"""Of a stream that was restored: its path below the folder, and the line of the list."""


class Objects:
    """The objects below a folder, by the stream that their trailer names and by their own name."""

    def __init__(self, folder: Path, *, but: Path) -> None:
        self._by_stream: dict[UUID, Path] = {}
        self._versions: dict[UUID, list[Context]] = defaultdict(list)
        self._whole: dict[UUID, Context] = {}
        self._by_name: dict[str, Path] = {}
        self.unreadable: list[Outcome] = []
        self.total = 0
        for path in _files(folder, but):
            try:
                with path.open("rb") as source:
                    self.total += os.fstat(source.fileno()).st_size
                    context = read_trailer(source).context
            except Damaged:
                context = None
            except OSError as error:
                reason = f"it cannot be read ({error.strerror})"
                self.unreadable.append(Outcome(Status.FAILED, str(path), reason=reason))
                continue
            if context is None or context.stream_id in self._by_stream:
                self._by_name["".join(path.parts[-2:])] = path
                self._by_name[path.name] = path
            else:
                self._by_stream[context.stream_id] = path
                self._versions[context.file_id].append(context)
        self._versions = {
            file_id: contexts for file_id, contexts in self._versions.items() if len(contexts) > 1
        }

    def __len__(self) -> int:
        return len(self._by_stream) + len(set(self._by_name.values()))

    def take(self, entry: Entry) -> Path | None:
        """The entry's object, which then counts as found."""
        path = self._by_stream.pop(entry.context.stream_id, None)
        if path is None:
            plain = entry.object_name.replace("/", "")
            path = self._by_name.get(plain) or self._by_name.get(Path(entry.object_name).name)
            self._by_name = {k: v for k, v in self._by_name.items() if v != path}
        return path

    def note_whole(self, entry: Entry) -> None:
        """The entry's file is there, every byte of it."""
        if entry.file_id in self._versions and not entry.is_former:
            self._whole[entry.file_id] = entry.context

    def superseded(self) -> Iterator[Path]:
        """Take older encryptions of files that are there: `sweep` has not deleted them yet."""
        for file_id, current in self._whole.items():
            for context in self._versions[file_id]:
                if (
                    context.stream_id == current.stream_id
                    or context.created_at > current.created_at
                ):
                    continue
                path = self._by_stream.pop(context.stream_id, None)
                if path is not None:
                    yield path

    def rest(self) -> Iterator[Path]:
        """Those that no entry was for."""
        yield from sorted({*self._by_stream.values(), *self._by_name.values()})


def _files(folder: Path, but: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if (here / name).resolve() != but.resolve())
        for name in sorted(names):
            path = here / name
            if path.is_file() and not path.is_symlink():
                yield path


def restore_all(
    objects: Objects,
    export: KeyExport,
    folder: Path,
    *,
    keys: UserKeys,
    partial: bool,
    versions: bool = True,
    progress: Progress,
) -> Iterator[Outcome]:
    """Restore every object that the export has a key for; former versions with `versions` alone.

    Raises Damaged for a damaged export; with `partial`, only after its intact entries.
    """
    done = _read_list(folder)
    places = Places(folder, [(PurePath(LIST_NAME), {}), *done.values()])
    yield from objects.unreadable
    seen: set[UUID] = set()
    with (folder / LIST_NAME).open("a", encoding="utf-8") as written:
        for entry in _entries(export, partial):
            if entry.context.stream_id in seen:
                continue
            if partial:
                seen.add(entry.context.stream_id)
            if entry.is_former and not versions:
                if (left := objects.take(entry)) is not None:
                    progress(left.stat().st_size)
                continue
            outcome = _one(entry, objects, folder, done, places, keys, partial, progress)
            if outcome.status in (Status.RESTORED, Status.PARTIAL):
                line = {
                    **entry.public_dict(),
                    "output": Path(outcome.output).relative_to(folder).as_posix(),
                    "status": outcome.status.value,
                    "missing": outcome.as_dict()["missing"],
                }
                written.write(json.dumps(line) + "\n")
                written.flush()
            if outcome.status in (Status.RESTORED, Status.PRESENT):
                objects.note_whole(entry)
            yield outcome
    for path in objects.superseded():
        reason = "an older encryption of a file that is there; its key is gone, and not needed"
        yield Outcome(Status.SUPERSEDED, str(path), reason=reason)
    for path in objects.rest():
        reason = "the export has no key for it: newer than the export, deleted, or no object"
        yield Outcome(Status.NO_KEY, str(path), reason=reason)


def _entries(export: KeyExport, partial: bool) -> Iterator[Entry]:
    """Every entry; of a damaged export, with `partial`, the intact ones before the error."""
    try:
        yield from export.entries()
    except Damaged:
        if partial:
            yield from export.intact_entries()
        raise


def _one(
    entry: Entry,
    objects: Objects,
    folder: Path,
    done: Done,
    places: Places,
    keys: UserKeys,
    partial: bool,
    progress: Progress,
) -> Outcome:
    path = objects.take(entry)
    known = done.get(entry.context.stream_id)
    if known is not None and (folder / known[0]).is_file():
        if path is not None:
            progress(path.stat().st_size)
        return Outcome(
            Status.PRESENT, str(path or entry.object_name), str(folder / known[0]), size=entry.size
        )
    if path is None:
        reason = f"the object of “{entry.name}” is not in the folder"
        return Outcome(Status.NO_OBJECT, entry.object_name, reason=reason)
    try:
        dek = keys.dek(entry, ask=False)
    except WrongKey as wrong:
        return Outcome(Status.NO_KEY, str(path), reason=str(wrong))
    except MalformedKey as malformed:
        return Outcome(Status.NO_KEY, str(path), reason=str(malformed))
    except Damaged as damaged:
        return Outcome(Status.DAMAGED, str(path), reason=damaged.reason)
    try:
        output = places.path_for(entry)
        with path.open("rb") as source:
            outcome = restore(
                source, dek, output, expected=entry.expected, partial=partial, progress=progress
            )
    except OSError as error:
        return Outcome(Status.FAILED, str(path), reason=f"{error.filename}: {error.strerror}")
    _date(output, entry)
    return outcome


def _date(output: Path, entry: Entry) -> None:
    """Give a restored file the time of its original. It is the same file without one."""
    with suppress(OSError, ValueError, OverflowError):
        moment = datetime.fromisoformat(entry.modified_at).timestamp()
        os.utime(output, (moment, moment))


def _read_list(folder: Path) -> Done:
    """What an earlier run restored, by stream. A line that was cut off is left out."""
    done: Done = {}
    try:
        lines = (folder / LIST_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return done
    for line in lines:
        try:
            data = json.loads(line)
            path = PurePath(str(data["output"]))
            if data["status"] == Status.RESTORED and not path.is_absolute():
                done[UUID(data["stream"])] = path, data
        except (ValueError, KeyError, TypeError):
            continue
    return {stream: one for stream, one in done.items() if ".." not in one[0].parts}
