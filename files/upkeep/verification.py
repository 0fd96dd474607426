"""Verification of one object: read to its last byte, or told apart by what is wrong with it.

Every frame is authenticated and digested, each time, and nothing is kept of what was read. Of a
held object the server has no key: what shows from outside is checked, and the outcome says so. An
outage is never taken for damage, nor is a key that does not fit; and what was deleted or replaced
meanwhile is neither.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Value, When

import audit
from audit import Event
from files.crypto.digests import ContentChain, Digesting, Digests, open_digests, seal_digests
from files.crypto.errors import (
    CryptoError,
    Damaged,
    KeyServiceError,
    UnknownMasterKey,
    WrongKey,
)
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyRecord
from files.crypto.stream.layout import TRAILER_LENGTH, frame_at, frame_offset, object_length
from files.keys.master_keys import keyring
from files.models import Custody, StoredObject
from files.storage import ObjectKey, ObjectMissing, StoreError
from files.vault import opening, stored_objects
from runtime.clock import Now

log = logging.getLogger(__name__)
State = StoredObject.State


class Outcome(StrEnum):
    """What became of the verification of one object. A name that was once used never changes."""

    OK = auto()
    HELD = auto()
    """Held: checked without content."""
    MISSING = auto()
    TRUNCATED = auto()
    TOO_LONG = auto()
    DAMAGED = auto()
    WRONG_KEY = auto()
    """Its wrapped key does not open, or is another file's; of the object nothing is known."""
    REPLACED = auto()
    """Held, and written anew since: only its key can tell whether it is the same."""
    STILL_MARKED = auto()
    """It reads completely, and is still marked damaged."""
    UNREACHABLE = auto()
    GONE = auto()
    """Deleted, or re-encrypted, meanwhile."""


WELL = frozenset({Outcome.OK, Outcome.HELD, Outcome.GONE})
DAMAGE = frozenset({Outcome.MISSING, Outcome.TRUNCATED, Outcome.TOO_LONG, Outcome.DAMAGED})
"""What is marked."""


@dataclass(frozen=True)
class Finding:
    """The outcome for one object; `offset` is the object's first byte that is not as written."""

    file_id: UUID
    object_name: str
    outcome: Outcome
    reason: str = ""
    offset: int | None = None
    marked: bool = False
    unmarked: bool = False
    error: Exception | None = None
    digest: bytes = field(default=b"", repr=False)
    """The token of the object's digests, where the row has none or not all of them."""


def examine(row: StoredObject, *, each: Callable[[int], object] = lambda count: None) -> Finding:
    """Verify one object as its row says it was written. Changes nothing, raises nothing.

    `each` is told the plaintext bytes of every frame; what it raises passes through.
    """

    def found(
        outcome: Outcome, error: Exception | None = None, offset: int | None = None
    ) -> Finding:
        return Finding(row.file_id, row.object_name, outcome, _words(error), offset, error=error)

    read = 0
    try:
        key = _unwrap(row)
        if row.custody == Custody.HELD:
            return found(_from_outside(row, key))
        digesting = _Digesting(row, key.material)
        with (
            stored_objects.storage().reader(
                row.object_name, ObjectKey(key.material, row.context, key.size, key.commitment)
            ) as reader,
            closing(reader.frames_for_now()) as batches,
        ):
            for payloads in batches:
                digesting.update_all(payloads)
                for length in map(len, payloads):
                    read += length
                    each(length)
        new = digesting.finish()
    except (WrongKey, _Unopened) as error:
        return found(Outcome.WRONG_KEY, error)
    except ObjectMissing as error:
        return found(Outcome.MISSING, error, 0)
    except _OtherDigests as error:
        return found(Outcome.DAMAGED, error)
    except Damaged as error:
        if error.another_length:
            return _of_another_length(row, error)
        held = row.custody == Custody.HELD
        trailer = object_length(row.size) - TRAILER_LENGTH
        return found(Outcome.DAMAGED, error, trailer if held else frame_offset(frame_at(read)))
    except (StoreError, KeyServiceError) as error:
        return found(Outcome.UNREACHABLE, error)
    return replace(found(Outcome.OK), digest=new)


class _OtherDigests(Damaged):
    """Every frame is the stream's, and together they are not what was digested."""


class _Digesting:
    """The digests of what is read: held against those on record, or to be recorded.

    Each time: a store may keep two frames of one index, where a client sent a part twice and other
    bytes the second time. Each of them authenticates, at any time, and one alone was digested.
    """

    def __init__(self, row: StoredObject, dek: bytes) -> None:
        self._row, self._dek = row, dek
        self._known: Digests | None = None
        if row.digest:
            try:
                self._known = open_digests(dek, row.context, bytes(row.digest))
            except Damaged as error:
                log.error("the digests of object %s are made anew: %s", row.object_name, error)
        # Where both are on record already, one of them is enough to compare.
        complete = self._known is not None and self._known.sha256 is not None
        self._digests = Digesting(ContentChain(), from_the_start=not complete)
        self.update_all = self._digests.update_all

    def finish(self) -> bytes:
        """The token to be recorded, if any. Raises Damaged where others are on record."""
        digests = self._digests.digests()
        if digests is None:
            return b""
        if self._known is not None and digests.contradict(self._known):
            raise _OtherDigests("the file is not what its digests say")
        return (
            b"" if digests.sha256 is None else seal_digests(self._dek, self._row.context, digests)
        )


class _Unopened(Exception):
    """The wrapped key does not open, or does not fit its row."""


def _unwrap(row: StoredObject) -> KeyRecord:
    try:
        key = keyring().unwrap(
            row.wrapped, context=row.context, size=row.size, custody=KeyCustody(row.custody)
        )
    except UnknownMasterKey as error:
        raise _Unopened(f"master key {error.key_id} is not configured") from error
    except CryptoError as error:
        raise _Unopened(f"the wrapped key: {_words(error)}") from error
    record, kept = getattr(row, "file", None), getattr(row, "kept", None)
    if record is not None and (record.id, record.size) != (row.file_id, row.size):
        raise _Unopened("the file's record and its object's do not agree")
    if kept is not None and (kept.file_id, kept.size) != (row.file_id, row.size):
        raise _Unopened("the former version's record and its object's do not agree")
    return key


def _from_outside(row: StoredObject, key: KeyRecord) -> Outcome:
    def check() -> str:
        return stored_objects.storage().check_from_outside(
            row.object_name, context=row.context, commitment=key.commitment, size=key.size
        )

    try:
        etag = check()
    except Damaged as damaged:
        if damaged.another_length:
            raise
        # Bits also flip on the way.
        etag = check()
    return Outcome.HELD if etag == row.etag else Outcome.REPLACED


def _of_another_length(row: StoredObject, error: Damaged) -> Finding:
    """Which way it is wrong, and from which byte on."""
    expected = object_length(row.size)
    found = Finding(row.file_id, row.object_name, Outcome.TRUNCATED, error.reason, error=error)
    try:
        length = stored_objects.storage().object_size(row.object_name)
    except ObjectMissing as missing:
        return replace(found, outcome=Outcome.MISSING, reason=_words(missing), offset=0)
    except StoreError as unreachable:
        return replace(found, outcome=Outcome.UNREACHABLE, reason=_words(unreachable))
    if length > expected:
        return replace(found, outcome=Outcome.TOO_LONG, offset=expected)
    return replace(found, offset=length)


def _words(error: Exception | None) -> str:
    if error is None:
        return ""
    return error.reason if isinstance(error, Damaged) else str(error)


def verify(
    row: StoredObject,
    *,
    unmark: Collection[Outcome] = (),
    each: Callable[[int], object] = lambda count: None,
) -> Finding:
    """Verify one object of a version, current or former; all is done but the marking (`mark`).

    Digests that are not on record yet are recorded.

    One that is marked damaged is unmarked only after the outcomes that `unmark` has.
    """
    finding = examine(row, each=each)
    if finding.digest:
        same = StoredObject.objects.filter(pk=row.pk).exclude(state=State.DOOMED)
        same.update(digest=finding.digest)
    if finding.outcome in WELL and row.state in StoredObject.SOUND:
        return finding
    now = StoredObject.objects.select_related("file", "kept").filter(pk=row.pk).first()
    if now is None or now.state not in StoredObject.LIVING:
        return replace(finding, outcome=Outcome.GONE)
    if finding.outcome == Outcome.WRONG_KEY and bytes(now.wrapped_key) != bytes(row.wrapped_key):
        # Rewrapped meanwhile, and the old master key taken away.
        return verify(now, unmark=unmark, each=each)
    if now.state in StoredObject.SOUND:
        return finding
    if finding.outcome in unmark:
        return replace(finding, unmarked=clear_damage(now))
    if finding.outcome in WELL:
        return replace(finding, outcome=Outcome.STILL_MARKED, marked=True)
    return replace(finding, marked=True)


def mark(row: StoredObject, finding: Finding) -> Finding:
    """Mark what was found damaged; the finding as it then is."""
    if finding.outcome not in DAMAGE or finding.marked or finding.error is None:
        return finding
    if opening.mark_damaged(row, finding.error):
        return replace(finding, marked=True)
    now = StoredObject.objects.filter(pk=row.pk, state__in=StoredObject.SPOILT)
    if now.exists():
        return replace(finding, marked=True)
    return replace(finding, outcome=Outcome.GONE)


def clear_damage(row: StoredObject) -> bool:
    """Unmark an object that was verified just now; whether it was still marked."""
    with transaction.atomic():
        changed = StoredObject.objects.filter(pk=row.pk, state__in=StoredObject.SPOILT).update(
            state=Case(
                When(state=State.KEPT_DAMAGED, then=Value(State.KEPT)), default=Value(State.LIVE)
            ),
            state_changed_at=Now(),
        )
        if changed:
            audit.record(
                Event.DAMAGE_CLEARED,
                file_id=row.file_id,
                custody=row.custody,
                size=row.size,
                **opening.version_told(row),
            )
    if changed:
        log.warning("object %s of file %s reads again", row.object_name, row.file_id)
    return bool(changed)
