"""Who is let in where, from outside; and that what is not there is all alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from accounts.outside import capability
from files.models import FileRecord, Folder, Link
from files.sharing.links import ending, making
from files.vault import storing
from files.vault.destinations import Destination
from tests.files.doors import OUTSIDERS
from tests.files.sharing.links.makers import may_link
from tests.files.web.outside.links.following import body, linked

ENDINGS: dict[str, Callable[[Link], object]] = {
    "ended": lambda link: Link.objects.filter(pk=link.pk).update(expires_at=timezone.now()),
    "revoked": lambda link: ending.revoke(link, actor=link.maker),
    "exhausted": lambda link: Link.objects.filter(pk=link.pk).update(most=1, used=1),
    "asleep": lambda link: link.maker.user_permissions.clear(),
    "put away": lambda link: Folder.objects.exclude(parent=None).update(trashed_at=timezone.now()),
}


def test_who_is_let_in_where(
    record: FileRecord, case: Folder, maker: User, settings: Settings
) -> None:
    """The table of doors, from outside; and what is not there is alike, in content and in work."""
    above = case.parent
    assert above is not None
    beside = storing.store(maker, [b"beside"], name="b.bin", destination=Destination(above))
    ids = {"file": record.pk, "folder": case.pk, "above": above.pk, "beside": beside.pk}
    alike: dict[str, Any] = {}
    for kind, doors in OUTSIDERS.items():
        item: Any = {"link to its folder": case, "link to the file beside": beside}.get(
            kind, record
        )
        path, link = linked(item, password="long enough" if kind == "with a password" else "")
        if kind == "unknown":
            path = making.path_of(capability.generate())
        settings.LINKS = kind != "off"
        if kind in ENDINGS:
            ENDINGS[kind](link)
        for below, status in doors.items():
            for method in ("GET", "HEAD"):
                with CaptureQueriesContext(connection) as queries:
                    answer = Client().generic(method, path + below.format(**ids))
                content = body(answer)
                assert answer.status_code == status, (kind, below, method)
                assert answer["Referrer-Policy"] == "no-referrer"
                if status == 404 and set(doors.values()) == {404}:
                    told = (content, sorted(set(answer.headers) - {"X-Request-ID"}))
                    asked = [query["sql"].split(" WHERE ")[0] for query in queries]
                    first = alike.setdefault(f"{method} {below}", (told, len(asked)))
                    assert (told, len(asked)) == first, (kind, below)
        settings.LINKS = True
        may_link(maker)
        Folder.objects.exclude(parent=None).update(trashed_at=None)
    assert len(alike) == 8


def test_a_try_costs_one_hash_whatever_there_is(
    record: FileRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = type(hashers.get_hasher("default"))
    encode = hasher.encode
    hashed: list[str] = []

    def counted(self: Any, password: str, *rest: Any, **more: Any) -> Any:
        hashed.append(password)
        return encode(self, password, *rest, **more)

    found = {}
    for kind, over in {"unknown": None, **ENDINGS}.items():
        if kind == "put away":
            continue
        path, link = linked(record, password="open sesame")
        if over is None:
            path = making.path_of(capability.generate())
        else:
            over(link)
        monkeypatch.setattr(hasher, "encode", counted)
        with CaptureQueriesContext(connection) as queries:
            answer = Client().post(path, {"password": "open sesame"})
        found[kind] = (answer.status_code, answer.content, len(queries), len(hashed))
        monkeypatch.setattr(hasher, "encode", encode)
        hashed.clear()
        may_link(record.owner)
    assert len(set(found.values())) == 1, {kind: one[2:] for kind, one in found.items()}
    assert found["unknown"][0] == 404
    assert found["unknown"][3] == 1
