"""A pass opens the one door that it was given for, as it was then, for an hour."""

from __future__ import annotations

import time

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.outside import Door, capability, passes

TEXT = capability.generate()
DOOR = Door("link", 1, capability.digest_of(TEXT))


def test_it_is_for_one_door_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    response = HttpResponse()
    given = passes.give(response, DOOR, stamp="hash", path="/l/", who="ann@example.org")
    [cookie] = response.cookies.values()
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/l/"
    assert TEXT not in cookie.OutputString()

    def found(door: Door = DOOR, stamp: str = "hash", value: str = cookie.value) -> object:
        request = RequestFactory().get("/l/")
        # The browser may send any of its cookies under any name.
        request.COOKIES = {passes._name(one): value for one in (DOOR, door)}
        return passes.of(request, door, stamp=stamp)

    assert found() == given
    assert found(stamp="another hash") is None
    assert found(Door("request", 1, DOOR.digest)) is None
    assert found(Door("link", 2, DOOR.digest)) is None
    assert found(Door("link", 1, capability.digest_of("another"))) is None
    assert found(value=cookie.value[:-1] + "~") is None
    assert found(value="") is None
    later = time.time() + passes.LASTS.total_seconds() + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert found() is None
