"""Rotation of the master key over many records, beside a loop of `MultiFernet.rotate`.

Ours is the real command on a real database: it reads, checks, rewraps and commits. The peer, one
loop on one core, only rotates tokens that lie in memory ready to be used.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, MultiFernet

from benchmarks.measure import Figure, Peer, against, rates, seconds
from benchmarks.site import MEMORY, set_up
from tests.integration.postgresql import PostgresMissing, server

RECORDS = 200_000
PEERS = {"peer": Peer("MultiFernet.rotate in memory", 0.5)}


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Keys rewrapped each second; `size` says nothing here, for no file is read."""
    del size
    env_file = set_up()
    yield from _on("SQLite", env_file, runs)
    try:
        with server(MEMORY) as configuration, _default(configuration):
            yield from _on("PostgreSQL", env_file, runs)
    except PostgresMissing as missing:
        sys.stderr.write(f"PostgreSQL is left out. {missing}\n")


@contextlib.contextmanager
def _default(configuration: dict[str, Any]) -> Iterator[None]:
    """Make the database the default one, of the threads that the command starts, too."""
    from django.db import connections

    original, kept = connections["default"], connections.settings["default"]
    connections.settings["default"] = connections.configure_settings({"default": configuration})[
        "default"
    ]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"], connections.settings["default"] = original, kept


def _on(database: str, env_file: Path, runs: int) -> Iterator[Figure]:
    records = _fill()
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(runs):
        new, old = _new_primary(env_file)
        times["ours"].append(seconds(_rotate))
        tokens = list(map(Fernet(old).encrypt, records))
        times["peer"].append(seconds(partial(_rotate_tokens, new, old, tokens)))
    measured = rates(RECORDS, times)
    name = f"Keys rewrapped, {database}"
    yield from against(name, "keys/s", measured, ours="ours", peers=PEERS)


def _fill() -> list[bytes]:
    """A database with `RECORDS` sealed objects; return their key records."""
    from django.core.management import call_command

    from files.crypto.keyrecord import Custody, KeyRecord, KeyState
    from files.crypto.stream.keys import derive_keys, generate_dek
    from files.keys.master_keys import keyring
    from files.models import StoredObject

    call_command("migrate", verbosity=0)
    ring, rows, records = keyring(), [], []
    for _ in range(RECORDS):
        row = StoredObject(
            file_id=uuid.uuid4(),
            object_name=uuid.uuid4().hex,
            state=StoredObject.State.LIVE,
            sealed=True,
            stream_created_at=int(time.time()),
        )
        dek = generate_dek()
        record = KeyRecord(
            state=KeyState.SEALED,
            context=row.context,
            size=0,
            commitment=derive_keys(dek, row.context).commitment,
            custody=Custody.MANAGED,
            material=dek,
        )
        wrapped = ring.wrap(record)
        row.master_key_id, row.wrapped_key = wrapped.master_key_id, wrapped.token
        rows.append(row)
        records.append(record.encode())
    StoredObject.objects.bulk_create(rows, batch_size=500)
    return records


def _new_primary(env_file: Path) -> tuple[bytes, bytes]:
    """Put a fresh master key first, as an operator does; return it and the one before."""
    new = base64.urlsafe_b64encode(os.urandom(32))
    lines, old = env_file.read_text().splitlines(), b""
    for index, line in enumerate(lines):
        name, _, value = line.partition("=")
        if name == "MASTER_KEYS":
            old = value.partition(",")[0].encode()
            lines[index] = f"MASTER_KEYS={new.decode()},{old.decode()}"
    env_file.write_text("\n".join(lines) + "\n")
    return new, old


def _rotate_tokens(new: bytes, old: bytes, tokens: list[bytes]) -> None:
    both = MultiFernet([Fernet(new), Fernet(old)])
    for token in tokens:
        both.rotate(token)


def _rotate() -> None:
    from django.core.management import call_command

    said = io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()):  # The progress bar.
        call_command("rotate_master_key", stdout=said)
    if not said.getvalue().startswith(f"{RECORDS} keys rewrapped"):
        raise RuntimeError(said.getvalue())
