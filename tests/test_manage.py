"""`manage.py` itself: how a command line ends."""

from __future__ import annotations

import sys

import pytest
from django.core import management

import manage


def test_a_command_that_is_stopped_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(management, "execute_from_command_line", stopped)
    monkeypatch.setattr(sys, "argv", ["manage.py", "restore_drill"])
    with pytest.raises(SystemExit) as ended:
        manage.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith(
        "Stopped. What was done stays: run the command again.\n"
    )
