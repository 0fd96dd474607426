"""The page that offers the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from accounts.models import User
from client.build import build

pytestmark = pytest.mark.django_db


def test_both_programs_are_offered_with_their_digests(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = build(tmp_path / "client")
    monkeypatch.setattr(
        "accounts.command.finders.find", lambda name: str(tmp_path / "client/about.json")
    )
    client.force_login(alice)
    page = client.get("/accounts/command/").content.decode()
    assert len(built) == 2
    for name, sha256 in built.items():
        assert f'href="/static/client/{name}"' in page
        assert sha256 in page
    assert "pipx install http://testserver/static/client/securestore_client-" in page
    assert "securestore login http://testserver" in page


def test_where_nothing_was_built_it_says_so(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.command.finders.find", lambda name: None)
    client.force_login(alice)
    page = client.get("/accounts/command/").content.decode()
    assert "make client" in page
    assert "pipx" not in page


def test_the_account_leads_there(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert 'href="/accounts/command/"' in client.get("/accounts/").content.decode()
