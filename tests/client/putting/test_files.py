"""One file: what is there already, what has its name, and what changes meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.securestore_client.putting import in_one, stored
from tests.client.conftest import Run, content
from tests.client.small_site import SmallSite


def test_what_is_there_already_is_not_sent_again(
    run: Run, small_site: SmallSite, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        (at_home / f"{number}.bin").write_bytes(content(500, number))
    assert run("put", *(f"{n}.bin" for n in range(6))) == 0
    (at_home / "3.bin").write_bytes(content(500, 33))
    capsys.readouterr()
    assert run("put", "--json", *(f"{n}.bin" for n in range(6))) == 0
    told = json.loads(capsys.readouterr().out)
    outcomes = {each["source"]: each["outcome"] for each in told["items"]}
    assert outcomes.pop("3.bin") == "stored"
    assert set(outcomes.values()) == {"unchanged"}
    assert small_site.content("3.bin") == content(500, 33)


def test_a_name_that_is_taken_is_refused_where_that_was_asked_for(
    run: Run, small_site: SmallSite, at_home: Path
) -> None:
    small_site.add("a.bin", b"others")
    (at_home / "a.bin").write_bytes(b"mine")
    assert run("put", "a.bin", "--conflict", "refuse") == 6
    assert small_site.content("a.bin") == b"others"


def test_a_file_that_changes_while_it_is_sent_is_told(
    run: Run, small_site: SmallSite, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = at_home / "a.bin"
    path.write_bytes(content(900_000))
    before = in_one.InOne.put

    def and_change(self: in_one.InOne, *arguments: object) -> stored.Stored:
        done = before(self, *arguments)  # type: ignore[arg-type]
        with path.open("ab") as file:
            file.write(b"more")
        return done

    monkeypatch.setattr(in_one.InOne, "put", and_change)
    assert run("put", "a.bin") == 7
