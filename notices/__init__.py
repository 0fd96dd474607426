"""People are told: notices in the application, and the queue of mails.

    notify(Kind.LINK_OPENED, [owner.pk], file_id=record.pk)
    mail.enqueue("files/email/code", {"code": code}, to=address, kind="link_code")

Both are rows, written in the transaction of what they tell of: what is rolled back tells nobody.
`manage.py deliver` sends. Knows no file and no grant, and people by the number of their account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from notices.kinds import Kind

__all__ = ["Kind", "notify"]


def notify(
    kind: Kind,
    people: Iterable[int],
    *,
    file_id: UUID | None = None,
    folder_id: UUID | None = None,
    path: str = "",
    actor_id: int | None = None,
    details: Mapping[str, str | int] | None = None,
    once: str = "",
    mailed: bool = False,
) -> int:
    """Tell people of something: `notices.telling.notify`, importable before the apps are ready."""
    from notices import telling

    return telling.notify(
        kind,
        people,
        file_id=file_id,
        folder_id=folder_id,
        path=path,
        actor_id=actor_id,
        details=details,
        once=once,
        mailed=mailed,
    )
