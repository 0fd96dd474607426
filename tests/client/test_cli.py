"""What may be said, exit codes, and that nothing secret is an argument."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from client.securestore_client import cli
from client.securestore_client.commands.completing import candidates
from client.securestore_client.errors import EXIT_CODES
from client.securestore_client.session import Session
from tests.client.conftest import Run
from tests.client.small_site import SmallSite

COMMANDS = sorted(name for name in cli.commands_of(cli.parser()) if name != "complete")


def test_the_document_has_the_same_exit_codes_and_commands() -> None:
    document = (Path(__file__).parents[2] / "docs/command.md").read_text()
    for code, words in EXIT_CODES.items():
        assert f"| {code} | {words} |" in document
    for name in COMMANDS:
        assert re.search(rf"`(?:[^`]* )?{name}\b", document), name


def test_every_command_is_there_when_it_is_asked_for() -> None:
    """They are loaded by their names."""
    known = cli.commands_of(cli.parser())
    assert len({found.get_default("run") for found in known.values()}) == len(known)
    for found in known.values():
        assert callable(cli.command_of(found.get_default("run")))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert re.search(rf"examples:\n +.*securestore {command}\b", said)
    assert "--json" in said


def test_every_exit_code_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    for code, words in EXIT_CODES.items():
        assert f"{code}  {words}" in said


def test_every_example_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    for name, parser in cli.commands_of(cli.parser()).items():
        for line in (parser.epilog or "").splitlines():
            found = re.search(r"(?:^|[|(] ?)\s*securestore ([^|()\"]+)", line.partition(">")[0])
            if found:
                assert cli.parser().parse_args(shlex.split(found[1])).name_of_command == name, line


def test_no_argument_takes_a_token() -> None:
    for parser in cli.commands_of(cli.parser()).values():
        options = {name for action in parser._actions for name in action.option_strings}
        assert not options & {"--token", "--password", "--key", "--passphrase"}


def test_a_listing(run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(60):
        small_site.add(f"Cases/{number:03}.txt", b"x" * number)
    small_site.add("Cases/inner", None)
    assert run("ls", "Cases") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 61, "all pages of it"
    assert lines[0].endswith("  inner/")
    assert run("ls", "Cases", "--json") == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["name"] for item in items][:2] == ["inner", "000.txt"]


def test_a_name_cannot_move_the_cursor(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("evil\x1b[2J\r.txt", b"")
    assert run("ls") == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_tree_and_a_search(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Cases/12/Offer one.pdf", b"x")
    assert run("tree", "--json") == 0
    told = json.loads(capsys.readouterr().out)["items"]
    assert [item["path"] for item in told] == ["Cases", "Cases/12", "Cases/12/Offer one.pdf"]
    assert run("tree", "--depth", "1") == 0
    assert capsys.readouterr().out == "Cases/\n"
    assert run("find", "offer", "ONE") == 0
    assert "Offer one.pdf" in capsys.readouterr().out
    assert run("find", "nothing") == 5


def test_moving_and_renaming(run: Run, small_site: SmallSite) -> None:
    small_site.add("a.txt", b"a")
    small_site.add("b.txt", b"b")
    small_site.add("Cases", None)
    assert run("mv", "a.txt", "c.txt") == 0
    assert run("mv", "c.txt", "b.txt", "Cases") == 0
    assert small_site.content("Cases/c.txt") == b"a"
    assert run("mv", "Cases/c.txt", "d.txt") == 0
    assert small_site.content("d.txt") == b"a"
    assert run("mv", "d.txt", "Cases/b.txt") == 6
    assert run("mv", "d.txt", "Nowhere/") == 5
    assert run("mv", "d.txt") == 2, "where to?"


def test_the_trash_and_back(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("a.txt", b"a")
    small_site.add("Cases/b.txt", b"b")
    put_away = small_site.at("Cases")
    assert put_away is not None
    assert run("rm", "a.txt") == 0
    assert run("rm", "Cases") == 2, "a folder is asked for by name"
    assert run("rm", "-r", "Cases") == 0
    assert small_site.at("Cases") is None
    assert run("restore", "a.txt") == 0
    assert small_site.content("a.txt") == b"a"
    assert run("restore", "a.txt") == 5
    assert run("restore", f"id:{put_away.id}") == 0
    assert small_site.content("Cases/b.txt") == b"b"
    capsys.readouterr()
    assert run("ls", "--trash", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}


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


def test_completion(run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]) -> None:
    small_site.add("Cases/12/a.txt", b"")
    small_site.add("Cats.jpg", b"")

    def completed(*words: str) -> list[str]:
        assert run("complete", "--", *words) == 0
        return capsys.readouterr().out.splitlines()

    assert completed("hi") == ["history"]
    assert completed("get", "Ca") == ["Cases/", "Cats.jpg"]
    assert completed("get", "Cases/1") == ["Cases/12/"]
    assert completed("put", "x", "--to", "Cas") == ["Cases/"]
    assert completed("put", "Ca") == [], "a path of this machine: the shell's"
    assert "--at-once" in completed("put", "--")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(
    shell: str, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("completion", shell) == 0
    script = capsys.readouterr().out
    assert "securestore complete --" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607


def test_completion_says_nothing_where_nobody_is_signed_in(at_home: Path) -> None:
    session = Session(cli.parser().parse_args(["complete", "--", "get", "x"]))
    assert candidates(session, ["get", "x"]) == []


def test_ctrl_c_ends_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("client.securestore_client.commands.looking.ls", interrupted)
    monkeypatch.setattr(sys, "argv", ["securestore", "ls"])
    assert cli.main(["ls"]) == 130
    assert capsys.readouterr().err == "securestore: interrupted\n"


def test_a_history_is_of_a_file(
    run: Run, small_site: SmallSite, capsys: pytest.CaptureFixture[str]
) -> None:
    small_site.add("Cases", None)
    assert run("history", "Cases") == 2
    assert "Cases is a folder" in capsys.readouterr().err


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
