"""What is done before the site serves: in which order, and what is said where it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from launcher import preparation

MANAGE = """
import sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    print(*words, file=log)
print(f"{{words[0]}} says this")
if words[0] == {failing!r}:
    sys.exit({code!r})
"""


class Commands:
    """A `manage.py` that notes what it was asked for."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._log = folder, folder / "log"
        self.note = folder / preparation.COLLECTED
        patch.setattr(preparation, "MANAGE", folder / "manage.py")
        patch.setattr(sys, "argv", ["launcher.preparation"])

    def prepare(self, *, failing: str = "", code: int | str | None = 1) -> None:
        script = MANAGE.format(log=str(self._log), failing=failing, code=code)
        (self._folder / "manage.py").write_text(script)
        preparation.main(self._folder)

    def run(self) -> list[str]:
        return [line.split()[0] for line in self._log.read_text().splitlines()]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(tmp_path, monkeypatch)


ALL = ["migrate", "collectstatic", "check", "setup_vault"]


def test_a_password_comes_last_and_a_check_says_nothing(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.prepare()
    assert commands.run() == ALL
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{name} says this" for name in ALL if name != "check"]
    assert said.err == ""


@pytest.mark.parametrize("failing", ALL)
def test_the_first_that_fails_ends_it_and_is_named(
    commands: Commands, capsys: pytest.CaptureFixture[str], failing: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.prepare(failing=failing, code=3)
    assert ended.value.code == 3
    assert commands.run() == ALL[: ALL.index(failing) + 1]
    assert capsys.readouterr().err.endswith(" failed.\n")


def test_why_it_failed_is_said_before(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.prepare(failing="migrate", code="Configuration error: MASTER_KEYS is empty")
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "Configuration error: MASTER_KEYS is empty\nThe database migration failed.\n"
    )


def test_a_command_may_end_by_itself(commands: Commands) -> None:
    commands.prepare(failing="migrate", code=None)
    assert commands.run() == ALL
