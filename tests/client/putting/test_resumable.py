"""Large files: what is there afterwards is what was here, whatever happened on the way."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from client.securestore_client.left import Left, state_folder
from client.securestore_client.putting import resumable
from tests.client.conftest import MIB, Run, content
from tests.client.small_site import SmallSite

LARGE = 3 * MIB + 12_345


@pytest.mark.parametrize(("ahead", "patches"), [(LARGE, 1), (LARGE - 1, 2)])
def test_a_large_file_is_resumable(
    run: Run,
    small_site: SmallSite,
    at_home: Path,
    ahead: int,
    patches: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In one request, what it has to be known beforehand; a larger one's last part by itself."""
    monkeypatch.setattr(resumable, "AHEAD", ahead)
    (at_home / "a.bin").write_bytes(content(LARGE))
    assert run("put", "a.bin", "--to", "Cases/12") == 0
    assert small_site.content("Cases/12/a.bin") == content(LARGE)
    assert (small_site.count("PUT"), small_site.count("PATCH")) == (0, patches)
    assert small_site.expected == 1, "the whole is said by the request that completes it"
    assert not list(state_folder().rglob("*.json")), "nothing is left to go on with"


@pytest.mark.parametrize("ahead", [0, MIB, 4 * MIB])
@pytest.mark.parametrize("seed", range(5))
def test_cut_connections_are_gone_on_with(
    run: Run,
    small_site: SmallSite,
    at_home: Path,
    seed: int,
    ahead: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resumable, "AHEAD", ahead)
    (at_home / "a.bin").write_bytes(content(LARGE))
    chance = random.Random(seed)  # noqa: S311 - where it is cut
    small_site.cuts = [chance.randrange(1, MIB) for _ in range(6)]
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert len(small_site.cuts) < 3, "most of them were made"


def test_an_answer_that_was_lost_is_asked_for(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    (at_home / "b.bin").write_bytes(content(5000))
    small_site.lose_answers = 3
    assert run("put", "a.bin", "b.bin", "--at-once", "1") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert small_site.content("b.bin") == content(5000)


def test_an_upload_that_was_killed_is_gone_on_with(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB + 77]
    assert run("put", "a.bin") != 0
    [upload] = small_site.uploads.values()
    assert len(upload.data) == MIB + 77
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE)
    assert len(small_site.uploads) == 1, "the same upload"


def test_another_file_of_the_same_name_and_size_is_another_upload(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = at_home / "a.bin"
    path.write_bytes(content(LARGE))
    monkeypatch.setenv("SECURESTORE_PATIENCE", "0")
    small_site.cuts = [MIB]
    assert run("put", "a.bin") != 0
    # The time, too, is as it was: then only the bytes tell.
    note = next(state_folder().rglob("*.json"))
    noted = json.loads(note.read_text())
    path.write_bytes(content(LARGE, seed=1))
    stat = path.stat()
    note.write_text(json.dumps({**noted, "shape": [LARGE, stat.st_mtime_ns, stat.st_ino]}))
    assert run("put", "a.bin") == 0
    assert small_site.content("a.bin") == content(LARGE, seed=1)


def test_two_at_the_same_upload_do_not_meet(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "a.bin").write_bytes(content(LARGE))
    with Left(small_site.url, "a.bin", str(at_home / "a.bin")).held():
        assert run("put", "a.bin") == 6
    assert "Another process" in capsys.readouterr().err


def test_an_empty_one_that_takes_a_number_is_stored_once(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    """It is no file before its beginning was told: begun again it would be two of them."""
    (at_home / "a.bin").write_bytes(b"")
    small_site.lose_answers, small_site.lose_answers_to = 1, "/uploads/"
    assert run("put", "a.bin", "--conflict", "rename") == 0
    found = small_site.at("a.bin")
    assert found is not None
    assert (found.data, found.version) == (b"", 1)
    assert small_site.lose_answers == 0
