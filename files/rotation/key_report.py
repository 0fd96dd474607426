"""What each master key protects: the picture before a key is rotated away, retired or removed.

Counts come from the database in a fixed number of queries; only a check unwraps anything, one row
at a time. It never shows a key, and changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from uuid import UUID

from django.db.models import Count, Min, Sum

from audit.reading import in_order
from files.crypto.errors import CryptoError
from files.crypto.keyrecord import Custody as KeyCustody
from files.crypto.keyrecord import KeyState
from files.crypto.keyring import Keyring
from files.crypto.stream.keys import derive_keys
from files.keys import second_factors, wrapping
from files.keys.master_keys import keyring
from files.keys.wrapping_history import ids_in
from files.models import MasterKey, StoredObject

State = StoredObject.State
CHUNK = 500
"""Rows read at a time by a check."""


@dataclass
class KeyLine:
    """One master key. Bytes are plaintext's, of files and of former versions, damaged or not."""

    key_id: str
    is_primary: bool = False
    is_configured: bool = False
    retired_at: datetime | None = None
    live: int = 0
    kept: int = 0
    """Former versions."""
    damaged: int = 0
    writing: int = 0
    doomed: int = 0
    bytes: int = 0
    managed: int = 0
    held: int = 0
    secrets: int = 0
    wrapped_before: int = 0
    """Files that it wrapped once and another key wraps now: what it may still have leaked."""
    oldest: datetime | None = None
    """When the oldest file of it was encrypted."""
    unreadable: list[UUID] | None = None
    """Files and uploads whose wrapped key does not open; None where that was not checked."""
    unreadable_secrets: int | None = None

    @property
    def needed(self) -> int:
        """Everything that somebody may still read through it."""
        return self.live + self.kept + self.damaged + self.writing + self.secrets

    @property
    def is_missing(self) -> bool:
        """Whether it is needed and not configured."""
        return bool(self.needed) and not self.is_configured

    @property
    def states(self) -> list[str]:
        """What it is, each in a word of the report's."""
        words = {
            "primary": self.is_primary,
            "configured": self.is_configured and not self.is_primary,
            "MISSING": self.is_missing,
            "retired": self.retired_at is not None,
        }
        return [word for word, holds in words.items() if holds] or ["not needed"]

    @property
    def status(self) -> str:
        """What it is, in words."""
        return ", ".join(self.states)


@dataclass
class _Lines:
    """The lines by key, made as keys turn up."""

    ring: Keyring
    by_id: dict[str, KeyLine] = field(default_factory=dict)

    def __getitem__(self, key_id: str) -> KeyLine:
        if key_id not in self.by_id:
            self.by_id[key_id] = KeyLine(
                key_id, is_primary=key_id == self.ring.primary_id, is_configured=key_id in self.ring
            )
        return self.by_id[key_id]


def report(
    *, check: bool = False, progress: Callable[[int], object] | None = None
) -> list[KeyLine]:
    """Every master key that is configured, retired or anywhere in the database; primary first.

    With `check`, every wrapped key is unwrapped; `progress` is told 1 for each. Raises
    KeyServiceError then.
    """
    ring = keyring()
    lines = _Lines(ring)
    for key_id in ring.ids:
        lines[key_id]
    for known in MasterKey.objects.filter(retired_at__isnull=False):
        lines[known.key_id].retired_at = known.retired_at
    _count_rows(lines)
    kept = StoredObject.objects.filter(state__in=StoredObject.LIVING)
    for past, count in kept.values_list("past_master_key_ids").annotate(n=Count("pk")).order_by():
        for key_id in ids_in(past):
            lines[key_id].wrapped_before += count
    for key_id, count in second_factors.secrets_by_key().items():
        lines[key_id].secrets = count
    if check:
        _check(lines, progress)
    return sorted(
        lines.by_id.values(),
        key=lambda line: (not line.is_primary, not line.is_configured, line.key_id),
    )


def _count_rows(lines: _Lines) -> None:
    groups = StoredObject.objects.values("master_key_id", "state", "custody").order_by()
    for row in groups.annotate(
        n=Count("pk"), size_sum=Sum("size"), oldest=Min("stream_created_at")
    ):
        line, state, count = lines[row["master_key_id"]], row["state"], row["n"]
        state = State.DAMAGED if state == State.KEPT_DAMAGED else state
        setattr(line, state, getattr(line, state) + count)
        if state == State.DOOMED:
            continue
        setattr(line, row["custody"], getattr(line, row["custody"]) + count)
        line.bytes += row["size_sum"]
        oldest = datetime.fromtimestamp(row["oldest"], UTC)
        line.oldest = min(line.oldest or oldest, oldest)


def _check(lines: _Lines, progress: Callable[[int], object] | None) -> None:
    unreadable: dict[str, list[UUID]] = defaultdict(list)
    for row in in_order(wrapping.needing_keys(), size=CHUNK, key=attrgetter("pk")):
        # A missing key is told as missing: whether its rows are sound, nobody can know.
        if row.master_key_id in lines.ring and not _opens(lines.ring, row):
            unreadable[row.master_key_id].append(row.file_id)
        if progress is not None:
            progress(1)
    secrets = second_factors.unreadable_by_key()
    for key_id, line in lines.by_id.items():
        if line.is_configured:
            line.unreadable = unreadable[key_id]
            line.unreadable_secrets = secrets.get(key_id, 0)


def _opens(ring: Keyring, row: StoredObject) -> bool:
    try:
        found = ring.unwrap(
            row.wrapped,
            context=row.context,
            size=row.size,
            custody=KeyCustody(row.custody),
            state=KeyState.SEALED if row.sealed else KeyState.UPLOADING,
        )
        if found.custody is KeyCustody.MANAGED:
            derive_keys(found.material, row.context).check(found.commitment)
    except CryptoError:
        return False
    return True
