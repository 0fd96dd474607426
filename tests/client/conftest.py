"""The command, against a small server that is started for each test."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client.securestore_client import transport
from client.securestore_client.cli import main
from client.securestore_client.getting import files as getting_files
from client.securestore_client.getting import pieces, ranges
from client.securestore_client.putting import files as putting_files
from client.securestore_client.putting import resumable, stream
from tests.client.small_site import TOKEN, SmallSite

Run = Callable[..., int]

MIB = 2**20


def content(size: int, seed: int = 0) -> bytes:
    """So many bytes; others for each seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - content


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are large from 1 MiB on: what happens to them is the same, and takes less long."""
    for module, names in (
        (putting_files, ("SMALL",)),
        (resumable, ("PART",)),
        (stream, ("PART",)),
        (getting_files, ("SMALL",)),
        (pieces, ("PIECE_LEAST", "PIECE_MOST")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, MIB)
    monkeypatch.setattr(ranges, "NOTED_EVERY", MIB // 2)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries a tenth of the pause is made: nobody else asks the small server."""
    monkeypatch.setattr(
        transport.Trying.__init__, "__defaults__", (lambda pause: time.sleep(pause / 10),)
    )


@pytest.fixture
def small_site() -> Iterator[SmallSite]:
    with SmallSite() as site:
        yield site


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's machine, with nothing kept on it; the folder that commands are given in."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("SERVER", "TOKEN_FILE", "TOKEN_COMMAND"):
        monkeypatch.delenv(f"SECURESTORE_{name}", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("SECURESTORE_KEYRING", "off")
    monkeypatch.setenv("SECURESTORE_PATIENCE", "20")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def run(small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a command to the small server, with a token of its own; the exit code."""
    token = at_home.parent / "token"
    token.write_text(TOKEN + "\n")
    monkeypatch.setenv("SECURESTORE_TOKEN_FILE", str(token))
    monkeypatch.setenv("SECURESTORE_SERVER", small_site.url)
    return lambda *words: main([str(word) for word in words])
