"""`sync`: make one side like the other, one way, by digest.

Goes folder by folder, so that it needs as much memory as the largest one. What only the other side
has stays, unless `--delete` was said, which asks; and nothing is deleted where a part of the source
could not be read: it may be there all the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final, cast

from ..api import Entry
from ..at_once import AtOnce
from ..digests import chain_of
from ..errors import NOT_FOUND, OF_ONE, USAGE, ClientError
from ..getting.files import Getter
from ..places import Place, is_there, local_name, parse, sendable
from ..putting.files import Putter
from ..putting.stored import Target
from ..session import Session
from .transfers import get_one

OURS: Final = ".securestore"
"""In names that a download gives to what is not whole yet."""


def sync(session: Session) -> int:
    """Make the second one like the first."""
    source, target = session.options.source, session.options.target
    if is_there(source) == is_there(target):
        raise ClientError(
            "One of the two is at the site, written ssv:Folder: securestore sync Photos ssv:Photos",
            USAGE,
            "two_sides",
        )
    with AtOnce(session.options.at_once) as at_once:
        run: _Up | _Down
        if is_there(target):
            run = _Up(session, at_once)
            run.folder(Path(source), parse(target))
        else:
            run = _Down(session, at_once)
            run.folder(session.api.folder(parse(source)), Path(target))
    run.delete()
    return session.end()


class _Up:
    """From here to the site."""

    def __init__(self, session: Session, at_once: AtOnce) -> None:
        self._session = session
        self._api = session.api
        self._at_once = at_once
        self._putter = Putter(session.api, session.progress)
        self._surplus: list[tuple[str, Entry]] = []

    def folder(self, here: Path, place: Place) -> None:
        """One folder, and all below it."""
        if not here.is_dir():
            raise ClientError(f"{here} is no folder here.", NOT_FOUND, "not_found")
        try:
            found: Entry | None = self._api.folder(place)
        except ClientError as error:
            if error.exit_code != NOT_FOUND:
                raise
            found = None
        self._level(here, place, found)

    def _level(self, here: Path, place: Place, found: Entry | None) -> None:
        session = self._session
        there: dict[str, Entry] = {}
        if found is not None:
            there = {entry.name.casefold(): entry for entry in self._api.entries(found.id)}
        folder_id = found.id if found else ""
        if not folder_id and not session.options.dry_run:
            try:
                folder_id = self._api.make_folders(place)
            except ClientError as error:
                # A folder that the site cannot have takes no other one with it.
                if error.exit_code not in OF_ONE:
                    raise
                session.failed(str(here), error)
                return
        inner: list[tuple[str, Entry | None]] = []
        kept, names = _scan(session, here)
        seen = {name.casefold() for name in names}
        for entry in kept:
            try:
                key = sendable(entry.name).casefold()
            except ClientError as error:
                session.failed(entry.path, error)
                continue
            known = there.get(key)
            if entry.is_dir(follow_symlinks=False):
                if known is None or known.is_folder:
                    inner.append((entry.name, known))
                else:
                    self._in_the_way(place / entry.name)
            elif known is not None and known.is_folder:
                self._in_the_way(place / entry.name)
            elif known is not None and known.is_locked:
                session.warn(f"{place / entry.name} is left out: it is locked.")
            else:
                path, target = Path(entry.path), Target(folder_id, place / entry.name)
                self._at_once.do(lambda p=path, t=target, k=known: self._file(p, t, k))  # type: ignore[misc]
        for key, only in there.items():
            if key not in seen:
                self._surplus.append((str(place / only.name), only))
        del there
        for name, known in inner:
            self._level(here / name, place / name, known)

    def _in_the_way(self, place: Place) -> None:
        error = ClientError("A file and a folder have this name: rename one.", code="in_the_way")
        self._session.failed(str(place), error)

    def _file(self, path: Path, target: Target, known: Entry | None) -> None:
        session = self._session
        try:
            if session.options.dry_run:
                if known is None or not self._same(path, known):
                    session.done(
                        f"would send  {path}", path=str(target.place), outcome="would_send"
                    )
                return
            stored = self._putter.put(path, target, known)
        except ClientError as error:
            session.failed(str(path), error)
            return
        session.progress.thing()
        if stored.sent:
            session.done(
                f"sent  {path} → {target.place}",
                path=str(target.place),
                id=stored.id,
                size=stored.size,
                outcome="sent",
            )

    def _same(self, path: Path, known: Entry) -> bool:
        if path.stat().st_size != known.size:
            return False
        digests = self._api.digests([known.id]).get(known.id)
        return digests is not None and digests.chain == _chain_here(path)

    def delete(self) -> None:
        """What only the site has goes into its trash, if that was said."""
        if not _may_delete(self._session, [name for name, _ in self._surplus], "at the site"):
            return
        for name, entry in self._surplus:
            try:
                self._api.put_away(entry)
            except ClientError as error:
                self._session.failed(name, error)
            else:
                self._session.done(f"deleted  {name}", path=name, outcome="deleted")


class _Down:
    """From the site to here."""

    def __init__(self, session: Session, at_once: AtOnce) -> None:
        self._session = session
        self._api = session.api
        self._at_once = at_once
        self._getter = Getter(session.api, session.progress)
        self._surplus: list[Path] = []

    def folder(self, folder: Entry, here: Path) -> None:
        """One folder, and all below it."""
        session = self._session
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            error = ClientError("It is no folder here.", code="in_the_way")
            session.failed(str(here), error)
            return
        if not session.options.dry_run:
            try:
                here.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ClientError(f"{here}: {error.strerror}", code="unwritable") from error
        kept = _scan(session, here)[0] if here.is_dir() else []
        mine = {entry.name for entry in kept}
        files: list[tuple[Entry, Path]] = []
        inner: list[tuple[Entry, Path]] = []
        for entry in self._api.entries(folder.id):
            local = here / local_name(entry.name)
            mine.discard(entry.name)
            (inner if entry.is_folder else files).append((entry, local))
        self._surplus += [here / name for name in sorted(mine)]
        for start in range(0, len(files), 100):
            self._files(files[start : start + 100])
        del files
        for entry, local in inner:
            self.folder(entry, local)

    def _files(self, files: list[tuple[Entry, Path]]) -> None:
        session = self._session
        alike = [e.id for e, p in files if p.is_file() and p.stat().st_size == e.size]
        known = self._api.digests(alike) if alike else {}
        for entry, local in files:
            digests = known.get(entry.id)
            if local.is_dir() or local.is_symlink():
                error = ClientError("Something else has this name here.", code="in_the_way")
                session.failed(str(local), error)
            elif digests is not None and digests.chain == _chain_here(local):
                continue
            elif session.options.dry_run:
                session.done(f"would fetch  {local}", path=str(local), outcome="would_fetch")
            elif entry.is_locked:
                session.warn(f"{local} is left out: it is locked. securestore open id:{entry.id}")
            else:
                self._at_once.do(
                    lambda e=entry, p=local: get_one(session, self._getter, e, p)  # type: ignore[misc]
                )

    def delete(self) -> None:
        """What only this side has goes, if that was said."""
        if not _may_delete(self._session, list(map(str, self._surplus)), "here"):
            return
        for path in self._surplus:
            try:
                _remove(path)
            except OSError as error:
                self._session.failed(str(path), ClientError(error.strerror or str(error)))
            else:
                self._session.done(f"deleted  {path}", path=str(path), outcome="deleted")


def _may_delete(session: Session, names: list[str], where: str) -> bool:
    if not names or not session.options.delete:
        return False
    if session.options.dry_run:
        for name in names:
            session.done(f"would delete  {name}", path=name, outcome="would_delete")
        return False
    if session.failures:
        session.warn("Nothing is deleted, for not everything could be looked at.")
        return False
    for name in names[:20]:
        session.warn(f"only {where}: {name}")
    if len(names) > 20:
        session.warn(f"and {len(names) - 20} more")
    return session.ask(f"Delete these {len(names)} {where}?")


def _scan(session: Session, folder: Path) -> tuple[list[os.DirEntry[str]], set[str]]:
    """Files and folders here, by name, and all names; what is neither is named and left out."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        session.failed(str(folder), ClientError(error.strerror or str(error), code="unreadable"))
        return [], set()
    kept = []
    for entry in found:
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
            session.warn(f"{entry.path} is left out: it is neither a file nor a folder.")
        elif OURS not in entry.name:
            kept.append(entry)
    return kept, {entry.name for entry in found}


def _chain_here(path: Path) -> bytes | None:
    try:
        with path.open("rb", buffering=0) as file:
            return chain_of(cast("BinaryIO", file), path.stat().st_size)
    except OSError:
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()
