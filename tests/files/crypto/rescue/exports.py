"""Objects, entries and exports to rescue from; made with the format's own writer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from files.crypto.heldkey import hold
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.header import Argon2
from files.crypto.keyexport.writing import Protector, write_export
from files.crypto.keyrecord import Custody
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context, derive_keys
from files.crypto.stream.layout import object_length

PASSPHRASE = "seven green bottles hang on a wall"
FAST = Argon2(memory=32, iterations=1, lanes=4)


def make(
    folder: Path,
    content: bytes,
    *,
    name: str = "fox.txt",
    user_key: str | None = None,
    derivation: str = "",
    file_id: UUID | None = None,
    written_at: int = 1_700_000_000,
    modified_at: str = "",
    **about: Any,
) -> tuple[Path, Entry, bytes]:
    """Write an object below `folder`, as a bucket would have it; its path, entry and data key."""
    dek = os.urandom(32)
    context = Context(file_id or uuid4(), uuid4(), written_at)
    random = os.urandom(16).hex()
    path = folder / random[:2] / random[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(encrypt(dek, context, [content])))
    entry = Entry(
        file_id=context.file_id,
        name=name,
        size=len(content),
        content_type="text/plain",
        owner=about.pop("owner", "alice"),
        created_at="2026-01-02T03:04:05+00:00",
        custody=Custody.HELD if user_key else Custody.MANAGED,
        object_name=f"{random[:2]}/{random[2:]}",
        object_size=object_length(len(content)),
        context=context,
        commitment=derive_keys(dek, context).commitment,
        material=hold(dek, user_key, context) if user_key else dek,
        derivation=derivation,
        modified_at=modified_at,
        **about,
    )
    return path, entry, dek


def export(path: Path, *entries: Entry, passphrase: str = PASSPHRASE) -> Path:
    """Write an export under a passphrase."""
    with path.open("wb") as out:
        write_export(out, Protector.passphrase(passphrase, FAST), entries)
    return path


def entry_of(name: str) -> Entry:
    """An entry of a file of that name, without an object."""
    dek, context = os.urandom(32), Context(uuid4(), uuid4(), 1_700_000_000)
    return Entry(
        file_id=context.file_id,
        name=name,
        size=0,
        content_type="text/plain",
        owner="alice",
        created_at="2026-01-02T03:04:05+00:00",
        custody=Custody.MANAGED,
        object_name=os.urandom(16).hex(),
        object_size=object_length(0),
        context=context,
        commitment=derive_keys(dek, context).commitment,
        material=dek,
    )
