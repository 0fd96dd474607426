"""Where rescue gets keys: from a file, from an entry of a key export, from a person."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from files.crypto import shares
from files.crypto.errors import Damaged, MalformedKey, WrongKey
from files.crypto.fernetkey import parse_key
from files.crypto.filekey import parse_data_key
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.header import Header, Protection, from_shared_secret
from files.crypto.keyexport.reading import KeyExport, open_export, read_header
from files.crypto.keyrecord import Custody
from files.crypto.salvage import read_trailer
from files.crypto.secretinput import read_secret


class NoEntry(Exception):
    """The export has no entry of that name, or several. The message says what to do."""


_MOST_SHOWN: Final = 10


def open_with(source: BinaryIO, options: Namespace) -> KeyExport:
    """Open a key export with what protects it. Raises as `open_export` does, SecretMissing."""
    header = read_header(source)
    return open_with_secrets(
        source, header, ask_for_secrets(header, options), partial=options.partial
    )


def ask_for_secrets(header: Header, options: Namespace) -> list[str]:
    """What opens an export: one text, or as many shares as there are. Raises SecretMissing."""
    if header.protection is Protection.PASSPHRASE:
        what = "Passphrase of the key export"
        return [read_secret(options.passphrase_file, what=what, option="--passphrase-file")]
    if header.protection is Protection.KEY:
        what = "Key of the key export"
        return [read_secret(options.export_key_file, what=what, option="--export-key-file")]
    return list(_share_texts(options.shares_file, header.threshold))


def open_with_secrets(
    source: BinaryIO, header: Header, secrets: list[str], *, partial: bool = False
) -> KeyExport:
    """Open a key export. Raises WrongKey, MalformedKey, Damaged, SharingMissing."""
    if header.protection is Protection.PASSPHRASE:
        protecting = header.from_passphrase(secrets[0])
    elif header.protection is Protection.KEY:
        protecting = parse_key(secrets[0], "the key of the export")
    else:
        protecting = from_shared_secret(shares.combine(secrets, header))
    return open_export(source, header, protecting, partial=partial)


def _share_texts(source: str | None, threshold: int) -> Iterator[str]:
    if source is not None and source != "-":
        text = read_secret(source, what="Shares", option="--shares-file")
        yield from (line for line in text.splitlines() if line.strip())
        return
    for number in range(1, threshold + 1):
        yield read_secret(
            source, what=f"Share {number} of {threshold} needed", option="--shares-file"
        )


def parse_file_key(text: str) -> bytes | Entry:
    """A data key in hexadecimal or base64, or an entry as `--write-entry` wrote it.

    Raises MalformedKey, Damaged.
    """
    return parse_entry(text) if text.lstrip().startswith("{") else parse_data_key(text)


def parse_entry(text: str) -> Entry:
    """An entry as `--write-entry` wrote it. Raises MalformedKey, Damaged."""
    try:
        return Entry.from_dict(json.loads(text))
    except json.JSONDecodeError:
        raise MalformedKey("this looks like an entry of a key export, but is not whole") from None


def find_entry(export: KeyExport, source: BinaryIO | None, wanted: str | None) -> Entry:
    """The entry of an object: by what was asked for, else by its trailer, else by its name.

    Raises NoEntry, Damaged.
    """
    if wanted is not None:
        return _by_word(export, wanted)
    if source is None:
        raise NoEntry("Name an entry with --entry.")
    path = Path(str(source.name))
    try:
        stream = read_trailer(source).context
    except Damaged:
        stream = None
    named = None
    for entry in export.entries():
        if stream is not None and entry.context == stream:
            return entry
        if is_named(path, entry):
            named = entry
    if named is None:
        raise NoEntry(
            f"The key export has no entry for {path}. It may be newer than the export, or renamed "
            "and damaged: --list shows the entries, --entry takes one."
        )
    return named


def is_named(path: Path, entry: Entry) -> bool:
    """Whether a path ends in the entry's object name, with its folder or joined to it."""
    folder, _, name = entry.object_name.partition("/")
    return path.parts[-2:] == (folder, name) or path.name in (entry.object_name, folder + name)


def _by_word(export: KeyExport, wanted: str) -> Entry:
    word = wanted.strip()
    found: list[Entry] = []
    for entry in export.entries():
        unique = (str(entry.file_id), str(entry.context.stream_id), entry.object_name)
        if word.lower() in unique:
            return entry
        if entry.name == word and not entry.is_former and len(found) < _MOST_SHOWN:
            found.append(entry)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoEntry(f"The key export has no entry {word!r}; --list shows what it has.")
    ids = ", ".join(str(entry.file_id) for entry in found)
    raise NoEntry(f"Several files are called {word!r}. Take one by its id: {ids}")


_OWN: Final = {False: "Key that was shown to the owner", True: "Passphrase"}


class UserKeys:
    """The keys of held files, as people give them. A file may hold several, one a line."""

    def __init__(self, source: str | None) -> None:
        self._source = source
        self._texts: list[str] | None = None

    def dek(self, entry: Entry, *, ask: bool) -> bytes:
        """The data key of an entry. Raises MalformedKey, WrongKey, Damaged, SecretMissing.

        With `ask`, a person is asked for a held file's key when no file was given.
        """
        if entry.custody is Custody.MANAGED:
            return entry.dek()
        if self._source is None:
            if not ask:
                raise WrongKey("it is held: give its owner's key with --held-key-file")
            return entry.dek(self._read(f"{_OWN[bool(entry.derivation)]} of {entry.name}", None))
        if self._texts is None:
            text = self._read("Keys of held files", self._source)
            self._texts = [line.strip() for line in text.splitlines() if line.strip()]
        for text in self._texts:
            try:
                return entry.dek(text)
            except (WrongKey, MalformedKey):
                continue
        raise WrongKey("it is held, and none of the given keys is its owner's")

    def _read(self, what: str, source: str | None) -> str:
        return read_secret(source, what=what, option="--held-key-file")
