"""Requests whose answer is read whole: which of them carry a key, and which are asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from client.securestore_client.errors import Unreachable
from client.securestore_client.transport import Server
from tests.client.small_site import TOKEN, SmallSite

PATH = "/api/v1/links/1"


@pytest.fixture
def server(small_site: SmallSite) -> Iterator[Server]:
    small_site.links = [{"id": 1, "status": "live"}]
    server = Server(small_site.url, TOKEN, patience=20)
    yield server
    server.close()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The key of each request, as it is sent."""
    found: list[str | None] = []
    send = Server.send

    def noted(
        self: Server, method: str, path: str, said: Mapping[str, str], *rest: object
    ) -> object:
        found.append(said.get("Idempotency-Key"))
        return send(self, method, path, said, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Server, "send", noted)
    return found


def test_what_changes_something_has_one_key_for_all_its_tries(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    small_site.lose_answers = 2
    server.ask("DELETE", PATH)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0]
    # What stands between may have given up before the site had answered.
    small_site.refuse = [(504, {})]
    server.ask("DELETE", PATH)
    assert len(keys) == 5
    assert keys[3] == keys[4] != keys[0]


def test_what_only_asks_has_none(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    kept = small_site.add("a.txt", b"a")
    server.ask("GET", "/api/v1/me")
    server.ask("HEAD", f"/api/v1/files/{kept.id}/content")
    server.ask("POST", "/api/v1/digests", body={"files": [kept.id]}, key=False)
    assert keys == [None, None, None]


def test_what_goes_once_only_is_not_waited_for(
    server: Server, small_site: SmallSite, keys: list[str | None]
) -> None:
    small_site.lose_answers = 1
    with pytest.raises(Unreachable):
        server.ask("DELETE", PATH, key=False, again=False)
    assert keys == [None]
