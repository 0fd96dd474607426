"""`login` and `logout`, where the site does not answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from client.securestore_client.cli import main
from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def test_an_end_that_was_made_and_not_told_is_one(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again, the site does not take the token any more: that was wanted."""
    small_site.lose_answers, small_site.lose_answers_to = 1, "/me/token"
    assert run("logout", "--json") == 0
    told, err = capsys.readouterr()
    assert json.loads(told)["ended"] is True
    assert err == ""


def test_a_token_that_was_not_taken_before_was_not_ended_by_this(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.token = "another"
    assert run("logout", "--json") == 0
    told, err = capsys.readouterr()
    assert json.loads(told)["ended"] is False
    assert "was not ended there" in err


def test_a_site_that_is_not_there_is_told_in_words(
    at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main(["login", f"http://127.0.0.1:{port}", "--no-browser"]) == 8
    assert "cannot be reached" in capsys.readouterr().err
