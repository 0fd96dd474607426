"""`doctor`: what it prints, and how it ends, whatever is broken."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from io import StringIO
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from files.upkeep import diagnosis as vaults
from runtime.findings import Level, Line, Probe
from securestore.diagnosis import agreement, database, probes, surroundings
from tests.files.vault.faults import StoreTrouble

MODULES = (agreement, database, surroundings, vaults)


def doctor(*arguments: str) -> str:
    out = StringIO()
    call_command("doctor", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """What the probes will say; nothing is looked at."""
    kept: list[Line] = []

    def all_of_them() -> Iterator[tuple[str, Probe]]:
        yield "all", lambda: iter(kept)

    monkeypatch.setattr(probes, "probes", all_of_them)
    monkeypatch.setattr(vaults, "probes", lambda: iter(()))
    return kept


def test_a_line_for_each(found: list[Line]) -> None:
    found += [
        Line(Level.OK, "store", "it answers."),
        Line(Level.WARN, "e-mail", "none.", "Set EMAIL_URL."),
    ]
    assert doctor() == "ok    store: it answers.\nwarn  e-mail: none. Set EMAIL_URL.\n"


def test_json(found: list[Line]) -> None:
    found.append(Line(Level.WARN, "e-mail", "none.", "Set EMAIL_URL."))
    assert json.loads(doctor("--json")) == {
        "ok": True,
        "lines": [{"level": "warn", "part": "e-mail", "said": "none.", "remedy": "Set EMAIL_URL."}],
    }


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_failure_is_an_error_after_all_lines(found: list[Line], arguments: list[str]) -> None:
    found += [Line(Level.FAIL, "a", "broken.", "Mend."), Line(Level.OK, "b", "fine.")]
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 fail") as error:
        call_command("doctor", *arguments, stdout=out)
    assert error.value.returncode == 1
    assert "fine." in out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("broken", ["store", "everything"])
def test_it_comes_to_its_end_whatever_is_broken(
    monkeypatch: pytest.MonkeyPatch, s3: Any, broken: str
) -> None:
    StoreTrouble(monkeypatch, s3).begin()
    if broken == "everything":
        for module in MODULES:
            for name in vars(module).copy():
                if name.startswith("check_"):
                    monkeypatch.setattr(module, name, explode)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert all(line.startswith(("ok    ", "warn  ", "FAIL  ")) for line in lines)
    assert any(line.startswith("FAIL  store: ") for line in lines)
    assert len(lines) >= 11


def explode() -> Iterator[Line]:
    raise RuntimeError("a fault of the doctor's own\nand more of it")


@pytest.mark.parametrize("module", MODULES)
def test_whatever_is_not_well_has_a_remedy(module: ModuleType) -> None:
    """In the source: no probe can be brought to say all that it might."""
    lines = [
        call
        for call in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Line"
    ]
    assert len(lines) > 10
    without = [ast.unparse(call) for call in lines if len(call.args) < 4]
    assert all(line.startswith("Line(Level.OK, ") for line in without)
