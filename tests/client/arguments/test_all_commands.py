"""What may be said, with examples, and that nothing secret is an argument."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from client.securestore_client import cli
from client.securestore_client.arguments.all_commands import commands_of, parser
from client.securestore_client.errors import EXIT_CODES

COMMANDS = sorted(name for name in commands_of(parser()) if name != "complete")


def test_the_document_has_the_same_exit_codes_and_commands() -> None:
    document = (Path(__file__).parents[3] / "docs/command.md").read_text()
    for code, words in EXIT_CODES.items():
        assert f"| {code} | {words} |" in document
    for name in COMMANDS:
        assert re.search(rf"`(?:[^`]* )?{name}\b", document), name


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
    for name, known in commands_of(parser()).items():
        for line in (known.epilog or "").splitlines():
            found = re.search(r"(?:^|[|(] ?)\s*securestore ([^|()\"]+)", line.partition(">")[0])
            if found:
                assert parser().parse_args(shlex.split(found[1])).name_of_command == name, line


def test_no_argument_takes_a_token() -> None:
    for known in commands_of(parser()).values():
        options = {name for action in known._actions for name in action.option_strings}
        assert not options & {"--token", "--password", "--key", "--passphrase"}
