"""The restore drill's checks, on a restored copy of the database and the real store.

They run in a process of their own whose only database is the copy: nothing here can reach the live
one. From the store they only read. A file whose bytes do not authenticate is marked damaged in the
copy, which is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import QuerySet

from audit import chain
from files.crypto.errors import CryptoError, Damaged, KeyServiceError
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.reading import KeyExport
from files.crypto.keyrecord import Custody
from files.errors import VaultError
from files.keys.master_keys import keyring
from files.models import StoredObject
from files.records import derived
from files.recovery import backups
from files.rotation import rewrapping
from files.storage import ObjectKey, ObjectMissing, StoreError
from files.upkeep import verification
from files.upkeep.verification import Outcome as Found
from files.vault import stored_objects

State = StoredObject.State
Progress = Callable[[int], object]

BATCH: Final = 500
MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    passed: bool
    detail: str

    def line(self) -> str:
        """For a person."""
        return f"{'PASS' if self.passed else 'FAIL'}  {self.name}: {self.detail}"


def sample_size(text: str, total: int) -> int:
    """`20`, or `5%` of `total`, rounded up. Raises ValueError."""
    if text.endswith("%"):
        share = float(text[:-1])
        if not 0 < share <= 100:
            raise ValueError("a share of the files is more than 0% and at most 100%")
        return min(total, math.ceil(total * share / 100))
    count = int(text)
    if count < 1:
        raise ValueError("a sample has at least one file")
    return min(total, count)


def run(
    manifest: backups.Manifest,
    *,
    sample: str,
    export: KeyExport | None = None,
    progress: Progress = lambda size: None,
    expect: Progress = lambda size: None,
) -> Iterator[Check]:
    """Check the restored database, which is this process's own, and files of the real store.

    With `export` the files' keys come from there, and not from the master keys. `progress` is told
    the bytes of each file of the sample, and `expect` before that the bytes of all of them.
    """
    yield _counts(manifest)
    yield _migrations(manifest)
    yield _chain(manifest)
    yield _tree()
    if export is None:
        yield _master_keys()
    yield _known_damage()
    try:
        stored_objects.check_store()
    except StoreError as error:
        yield Check("store", False, f"it does not answer ({error})")
        return
    sizes = _sample(sample)
    expect(sum(sizes.values()))
    ids = list(sizes)
    if export is None:
        yield _read_all(map(_from_master_keys, _rows(ids)), len(ids), progress)
        return
    try:
        yield from _with_export(export, set(ids), progress)
    except Damaged as damaged:
        yield Check("key export", False, f"it is damaged: {damaged.reason}")


def look(sample: str) -> Iterator[Check]:
    """Only what needs no manifest: the master keys, the store, and a sample of files from there."""
    yield _master_keys()
    try:
        stored_objects.check_store()
    except StoreError as error:
        yield Check("store", False, f"it does not answer ({error})")
        return
    ids = list(_sample(sample))
    yield _read_all(map(_from_master_keys, _rows(ids)), len(ids), lambda size: None)


def _counts(manifest: backups.Manifest) -> Check:
    found = backups.facts_of_default()
    # What the release that made it did not count is not compared.
    found["counts"] = {name: found["counts"].get(name) for name in manifest.counts}
    stated = {name: getattr(manifest, name) for name in found}
    differing = sorted(name for name in found if found[name] != stated[name])
    if differing:
        return Check("counts", False, f"not what the manifest says: {', '.join(differing)}")
    files = manifest.counts["files"]
    return Check(
        "counts", True, f"{files} files of {manifest.file_bytes} bytes, as the manifest says"
    )


def _migrations(manifest: backups.Manifest) -> Check:
    """The copy becomes what this code works with, as it would when it is restored in earnest."""
    executor = MigrationExecutor(connection)
    known = set(executor.loader.disk_migrations)
    unknown = sorted(
        f"{app}.{name}"
        for app, name in set(executor.loader.applied_migrations) - known
        if app in executor.loader.migrated_apps
    )
    if unknown:
        return Check(
            "migrations",
            False,
            f"the backup was made by newer code ({manifest.version}; {', '.join(unknown)} are not "
            "known here): restore with that version",
        )
    pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if pending:
        call_command("migrate", interactive=False, verbosity=0)
        return Check("migrations", True, f"{pending} newer ones applied")
    return Check("migrations", True, "all applied, none missing")


def _chain(manifest: backups.Manifest) -> Check:
    try:
        head = chain.verify(chain.Anchor.parse(manifest.audit_anchor))
    except ValueError as error:
        return Check("audit log", False, f"the manifest's anchor: {error}")
    except chain.BrokenChain as broken:
        return Check("audit log", False, f"broken at {broken}")
    return Check("audit log", True, f"all {head.number} events hold, up to the manifest's anchor")


def _tree() -> Check:
    if differing := [f"{what} ({number})" for what, number in derived.tree_out_of_step()]:
        return Check("folders", False, f"not in agreement: {', '.join(differing)}")
    return Check("folders", True, "what stands in which folder, and whose it is, agrees")


def _master_keys() -> Check:
    try:
        rewrapping.check_keyring()
        return Check("master keys", True, f"all there; the primary is {keyring().primary_id}")
    except (VaultError, KeyServiceError, ImproperlyConfigured) as error:
        return Check("master keys", False, str(error))


def _known_damage() -> Check:
    count = StoredObject.objects.filter(state__in=StoredObject.SPOILT).count()
    if count:
        return Check("known damage", False, f"{count} files are marked damaged in the backup")
    return Check("known damage", True, "none")


# --- Reading files -----------------------------------------------------------------------------


def _sample(text: str) -> dict[UUID, int]:
    """Random streams, of files and of what they were before."""
    sound = StoredObject.objects.filter(state__in=StoredObject.SOUND)
    wanted = sample_size(text, sound.count())
    return dict(sound.order_by("?").values_list("stream_id", "size")[:wanted])


def _rows(streams: list[UUID]) -> Iterator[StoredObject]:
    for start in range(0, len(streams), BATCH):
        yield from StoredObject.objects.filter(stream_id__in=streams[start : start + BATCH])


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of one file: whole, held (and whole as far as it shows), or why not."""

    file_id: UUID
    size: int
    held: bool = False
    missing: bool = False
    reason: str = ""


def _from_master_keys(row: StoredObject) -> _Tried:
    """Every frame authenticated; of a held file, whose key is its owner's, what shows outside."""
    finding = verification.examine(row)
    if finding.outcome in (Found.OK, Found.HELD, Found.REPLACED):
        # A copied object has an ETag of its own, which is all that `replaced` means.
        return _Tried(row.file_id, row.size, held=finding.outcome is not Found.OK)
    reason = f"{finding.outcome}, {finding.reason}" if finding.reason else str(finding.outcome)
    missing = finding.outcome is Found.MISSING
    return _Tried(row.file_id, row.size, missing=missing, reason=reason)


def _from_entry(entry: Entry) -> _Tried:
    """The same, with the key that an export has for it."""
    store = stored_objects.storage()
    held = entry.custody is Custody.HELD
    try:
        if held:
            store.check_from_outside(
                entry.object_name,
                context=entry.context,
                commitment=entry.commitment,
                size=entry.size,
            )
        else:
            key = ObjectKey(entry.material, entry.context, entry.size, entry.commitment)
            with store.reader(entry.object_name, key) as reader:
                for _ in reader.chunks():
                    pass
    except ObjectMissing:
        return _Tried(entry.file_id, entry.size, missing=True, reason="missing")
    except Damaged as damaged:
        return _Tried(entry.file_id, entry.size, reason=damaged.reason)
    except (CryptoError, StoreError) as error:
        return _Tried(entry.file_id, entry.size, reason=str(error))
    return _Tried(entry.file_id, entry.size, held=held)


def _read_all(tried: Iterator[_Tried], wanted: int, progress: Progress) -> Check:
    """Read files until there are no more; pass when all that were wanted are good."""
    good = held = size = 0
    bad: list[_Tried] = []
    for one in tried:
        progress(one.size)
        if one.reason:
            bad.append(one)
        elif one.held:
            held += 1
        else:
            good += 1
            size += one.size
    said = f"{good} files read to their last byte ({size} bytes)"
    if held:
        said += f", {held} held ones found as far as it shows without their keys"
    if not bad and good + held == wanted:
        return Check("sample", True, said)
    named = "; ".join(f"{one.file_id} ({one.reason})" for one in bad[:MOST_NAMED])
    said = f"{len(bad)} of {wanted} files are not whole: {named}. {said}"
    if any(one.missing for one in bad):
        said += ". What is not in the store was deleted since the backup, or is lost"
    return Check("sample", False, said)


def _with_export(export: KeyExport, ids: set[UUID], progress: Progress) -> Iterator[Check]:
    """Read the sample with the export's keys, and count the files that it has no key for."""
    covered = 0
    batch: list[UUID] = []

    def entries() -> Iterator[_Tried]:
        nonlocal covered
        for entry in export.entries():
            batch.append(entry.context.stream_id)
            if len(batch) == BATCH:
                covered += _current(batch)
                batch.clear()
            if entry.context.stream_id in ids:
                yield _from_entry(entry)
        covered += _current(batch)

    sample = _read_all(entries(), len(ids), progress)
    total = _living().count()
    if covered == total:
        yield Check("key export", True, f"it has the keys of all {total} files")
    else:
        yield Check(
            "key export",
            False,
            f"it has no key for {total - covered} of {total} files, which are newer: make another",
        )
    yield sample


def _living() -> QuerySet[StoredObject]:
    """What files are, and what they were before."""
    return StoredObject.objects.exclude(state__in=(State.WRITING, State.DOOMED))


def _current(streams: list[UUID]) -> int:
    return _living().filter(stream_id__in=streams).count()
