"""Every command is found, and what becomes of it is its exit code."""

from __future__ import annotations

import io
import json
import sys

import pytest

from client.securestore_client import cli
from client.securestore_client.arguments.all_commands import commands_of, parser
from tests.client.conftest import Run
from tests.client.small_site import SmallSite


def test_every_command_is_there_when_it_is_asked_for() -> None:
    """They are loaded by their names."""
    known = commands_of(parser())
    assert len({found.get_default("run") for found in known.values()}) == len(known)
    for found in known.values():
        assert callable(cli.command_of(found.get_default("run")))


def test_a_refusal_is_told_with_its_code(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cat", "none.txt", "--json") == 5
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "not_found"
    assert "not_found" in err
    small_site.refuse = [(403, {})]
    assert run("ls") == 4
    small_site.refuse = [(401, {})]
    assert run("ls") == 3


def test_what_goes_wrong_on_the_way_is_in_the_same_document(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.txt", b"")
    assert run("ls", "", "none", "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in told["items"]] == ["a.txt"]
    assert told["error"]["code"] == "not_found"


def test_ctrl_c_ends_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("client.securestore_client.commands.looking.ls", interrupted)
    monkeypatch.setattr(sys, "argv", ["securestore", "ls"])
    assert cli.main(["ls"]) == 130
    assert capsys.readouterr().err == "securestore: interrupted\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_name_that_the_terminal_cannot_write_ends_nothing(
    run: Run, small_site: SmallSite, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    small_site.add("日本😀.txt", b"1")
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding=encoding))
    assert run("ls") == 0
    sys.stdout.flush()
    assert b".txt" in said.getvalue()
    said.seek(0)
    said.truncate()
    assert run("ls", "--json") == 0
    sys.stdout.flush()
    [item] = json.loads(said.getvalue().decode(encoding))["items"]
    assert item["name"] == "日本😀.txt"
