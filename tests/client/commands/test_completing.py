"""What shells are told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from client.securestore_client.arguments.all_commands import parser
from client.securestore_client.commands.completing import candidates
from client.securestore_client.session import Session
from tests.client.conftest import Run
from tests.client.small_site import SmallSite


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
    session = Session(parser().parse_args(["complete", "--", "get", "x"]))
    assert candidates(session, ["get", "x"]) == []
