"""`put`, `get`, `cat`, `open`."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..api import Api, Entry
from ..at_once import AtOnce
from ..digests import chain_of
from ..errors import CONFLICT, NOT_FOUND, OF_ONE, USAGE, ClientError, Unreachable
from ..getting.answers import Answers
from ..getting.files import Getter
from ..getting.stream import Stream
from ..places import Place, local_name, parse, sendable
from ..putting.batches import FEW as MANY
from ..putting.batches import SMALL, Batcher, Waiting, batches_of
from ..putting.files import Putter
from ..putting.stored import Stored, Target
from ..session import Session

FEW = 4
"""Files up to which each is looked up by itself, and not the folder that they go to."""

Group = tuple[Place, list[Path]]


def put(session: Session) -> int:
    """Upload files, folders and standard input."""
    options, target = session.options, parse(session.options.to)
    putter = Putter(session.api, session.progress, options.conflict)
    if "-" in options.source:
        if len(options.source) > 1 or not options.name:
            raise ClientError(
                "Standard input goes alone, and under a name: "
                "securestore put - --name dump.sql --to Backups",
                USAGE,
                "no_name",
            )
        place = target / sendable(options.name)
        stored = putter.put_stream(sys.stdin.buffer, _prepared(session.api, place))
        _tell(session, "-", target / stored.name, stored)
        return session.end()
    if options.name and len(options.source) > 1:
        raise ClientError("--name is for one file.", USAGE, "no_name")
    with AtOnce(options.at_once) as at_once:
        for folder, files in _groups(session, options.source, target):
            try:
                put_group(session, at_once, putter, folder, files, options.name)
            except ClientError as error:
                # A folder below that the site cannot have takes no other one with it.
                if folder == target or error.exit_code not in OF_ONE:
                    raise
                session.failed(str(folder), error)
    return session.end()


def put_group(
    session: Session,
    at_once: AtOnce,
    putter: Putter,
    folder: Place,
    files: list[Path],
    name: str | None = None,
) -> None:
    """Upload files into one folder, which is made where it is missing."""
    names = {path: name or path.name for path in files if _sendable(session, path, name)}
    folder_id = session.api.make_folders(folder)
    there = existing(session.api, Place((), folder_id), list(names.values()))

    def told(path: Path, stored: Stored) -> None:
        _tell(session, str(path), folder / stored.name, stored)
        session.progress.thing()

    def one(path: Path, called: str, known: Entry | None) -> None:
        try:
            stored = putter.put(path, Target(folder_id, folder / called), known)
        except ClientError as error:
            session.failed(str(path), error)
            session.progress.thing()
        else:
            told(path, stored)

    def several(batch: list[Waiting]) -> None:
        gone: ClientError | None = None
        for file, stored in zip(batch, batcher.put(folder_id, batch), strict=True):
            if stored is not None:
                session.progress.expect(stored.size)
                session.progress.moved(stored.size)
                told(file.local, stored)
                continue
            try:
                if gone is not None:
                    raise gone
                # What was asked for may be there, though nobody has said so.
                found = existing(session.api, Place((), folder_id), [file.name])
            except ClientError as error:
                # The patience has run out for one: the next would wait as long again.
                gone = error if isinstance(error, Unreachable) else None
                session.failed(str(file.local), error)
                session.progress.thing()
            else:
                one(file.local, file.name, found.get(file.name.casefold()))

    batcher = Batcher(session.api)
    together = _together(names, there)
    for batch in batches_of(together):
        at_once.do(lambda batch=batch: several(batch))  # type: ignore[misc]
    alone = names.keys() - {file.local for file in together}
    for path, called in names.items():
        if path in alone:
            known = there.get(called.casefold())
            at_once.do(lambda path=path, called=called, known=known: one(path, called, known))  # type: ignore[misc]


def _sendable(session: Session, path: Path, name: str | None = None) -> bool:
    """Whether the site can have the name; one that it cannot have stops nothing but itself."""
    try:
        sendable(name or path.name)
    except ClientError as error:
        session.failed(str(path), error)
        return False
    return True


def _together(names: dict[Path, str], there: Mapping[str, Entry]) -> list[Waiting]:
    """Those of the files that go several at once: small, new there, and not few."""
    found: dict[str, Waiting] = {}
    for path, called in names.items():
        key = called.casefold()
        if key in there or key in found:
            continue
        try:
            size = path.stat().st_size
        except OSError:
            continue
        if size <= SMALL:
            found[key] = Waiting(path, called, size)
    return list(found.values()) if len(found) >= MANY else []


def existing(api: Api, folder: Place, names: list[str]) -> dict[str, Entry]:
    """What a folder has of these names, by their names without case."""
    if len(names) > FEW:
        wanted = {name.casefold() for name in names}
        found = api.entries(api.base_of(folder))
        return {key: entry for entry in found if (key := entry.name.casefold()) in wanted}
    there = {}
    for name in names:
        try:
            there[name.casefold()] = api.entry(folder / name)
        except ClientError as error:
            # Nothing is called so; who sends it is told what is wrong with the name.
            if error.exit_code != NOT_FOUND and error.code != "name_not_usable":
                raise
    return there


def _prepared(api: Api, place: Place) -> Target:
    """A name in a folder that is there then."""
    return Target(api.make_folders(place.folder), place)


def _groups(session: Session, sources: Iterable[str], target: Place) -> Iterator[Group]:
    """What there is to upload, by the folder that it goes to."""
    files: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            if _sendable(session, source.resolve()):
                yield from walk(session, source, target / source.resolve().name)
        elif source.exists():
            files.append(source)
        else:
            session.failed(
                str(source), ClientError("There is no such file here.", NOT_FOUND, "not_found")
            )
    if files:
        yield target, files


def walk(session: Session, folder: Path, place: Place) -> Iterator[Group]:
    """A folder here and all below it; what is neither file nor folder is named and left out."""
    files, folders = [], []
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        session.failed(str(folder), ClientError(error.strerror or str(error), code="unreadable"))
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if _sendable(session, Path(entry.path)):
                folders.append(entry.name)
        elif entry.is_file(follow_symlinks=False):
            files.append(Path(entry.path))
        else:
            session.warn(f"{entry.path} is left out: it is neither a file nor a folder.")
    yield place, files
    for name in folders:
        yield from walk(session, folder / name, place / name)


def _tell(session: Session, source: str, place: Place, stored: Stored) -> None:
    outcome = "stored" if stored.sent else "unchanged"
    session.done(
        f"{outcome}  {source} → {place}",
        source=source,
        path=str(place),
        id=stored.id,
        size=stored.size,
        outcome=outcome,
        chain=stored.chain.hex(),
    )


# --- The other way --------------------------------------------------------------------------------


def get(session: Session) -> int:
    """Download files and folders."""
    options = session.options
    target, key = Path(options.to), _key(session, ask=False)
    getter = Getter(session.api, session.progress, key)
    if options.output and len(options.path) > 1:
        raise ClientError("--output is for one file.", USAGE, "one_output")
    with AtOnce(options.at_once) as at_once:
        for text in options.path:
            try:
                entry = session.api.entry(parse(text))
                local = Path(options.output) if options.output else target / local_name(entry.name)
                if entry.is_folder:
                    _get_folder(session, at_once, getter, entry, local)
                else:
                    _get_files(session, at_once, getter, [(entry, local)])
            except ClientError as error:
                session.failed(text, error)
    return session.end()


def _get_folder(
    session: Session, at_once: AtOnce, getter: Getter, folder: Entry, local: Path
) -> None:
    _make(local)
    batch: list[tuple[Entry, Path]] = []
    for entry in session.api.entries(folder.id):
        inner = local / local_name(entry.name)
        if entry.is_folder:
            _get_folder(session, at_once, getter, entry, inner)
        else:
            batch.append((entry, inner))
        if len(batch) == 100:
            _get_files(session, at_once, getter, batch)
            batch = []
    _get_files(session, at_once, getter, batch)


def _get_files(
    session: Session, at_once: AtOnce, getter: Getter, files: list[tuple[Entry, Path]]
) -> None:
    same = same_here(session.api, files)
    for entry, local in files:
        if entry.id in same:
            _got(session, entry, local, "unchanged")
        elif local.exists() and not session.options.force:
            session.failed(
                str(local),
                ClientError("It is there, with other bytes: --force.", CONFLICT, "name_taken"),
            )
        else:
            at_once.do(lambda entry=entry, local=local: get_one(session, getter, entry, local))  # type: ignore[misc]


def get_one(session: Session, getter: Getter, entry: Entry, local: Path) -> None:
    """Download one file, and tell."""
    try:
        getter.get(session.api.content_path(Place((), entry.id)), local, entry.size)
    except ClientError as error:
        session.failed(str(local), error)
    else:
        _got(session, entry, local, "fetched")
    session.progress.thing()


def same_here(api: Api, files: list[tuple[Entry, Path]]) -> set[str]:
    """The ids of those that are here already, with the same bytes."""
    alike = [
        (entry, local)
        for entry, local in files
        if not entry.is_locked and local.is_file() and local.stat().st_size == entry.size
    ]
    known = api.digests([entry.id for entry, _ in alike]) if alike else {}
    same = set()
    for entry, local in alike:
        digests = known.get(entry.id)
        if digests is not None and digests.chain is not None:
            with local.open("rb", buffering=0) as file:
                if chain_of(cast("BinaryIO", file), entry.size) == digests.chain:
                    same.add(entry.id)
    return same


def _got(session: Session, entry: Entry, local: Path, outcome: str) -> None:
    session.done(
        f"{outcome}  {local}", path=str(local), id=entry.id, size=entry.size, outcome=outcome
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClientError(f"{folder}: {error.strerror}", code="unwritable") from error


def cat(session: Session) -> int:
    """Write files to standard output, one after the other."""
    key = _key(session, ask=False)
    stream = Stream(Answers(session.server, session.progress, key))
    paths = [session.api.content_path(parse(text)) for text in session.options.path]
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb", buffering=0) as out:
        for path in paths:
            stream.write(path, cast("BinaryIO", out))
    session.progress.end()
    return 0


def open_locked(session: Session) -> int:
    """Download a locked file with its key."""
    options = session.options
    place = parse(options.path)
    entry = session.api.entry(place)
    if entry.is_folder:
        raise ClientError(f"{place} is a folder.", USAGE, "is_a_folder")
    key = _key(session, ask=True)
    stream = Stream(Answers(session.server, session.progress, key))
    path = session.api.content_path(Place((), entry.id))
    if options.output == "-":
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb", buffering=0) as out:
            stream.write(path, cast("BinaryIO", out))
        session.progress.end()
        return 0
    local = Path(options.output) if options.output else Path(options.to) / local_name(entry.name)
    if local.exists() and not options.force:
        raise ClientError(f"{local} is there already: --force.", CONFLICT, "name_taken")
    Getter(session.api, session.progress, key).get(path, local)
    _got(session, entry, local, "fetched")
    return session.end()


def _key(session: Session, *, ask: bool) -> str | None:
    """A locked file's key or passphrase: from a file, or typed; never an argument."""
    path: Any = session.options.key_file
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"{path}: {error}", NOT_FOUND, "no_key") from error
        return text.rstrip("\r\n")
    if not ask:
        return None
    try:
        return getpass.getpass("Key or passphrase: ", stream=sys.stderr)
    except (EOFError, OSError) as error:
        raise ClientError(
            "Nobody is here to be asked for the key: --key-file.", USAGE, "no_key"
        ) from error
