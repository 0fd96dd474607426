"""Mutants: what is changed, that a sample is drawn the same twice, and what becomes of it."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.mutation import __main__ as command
from tests.mutation.mutants import Mutant, sample
from tests.mutation.trials import outermost

SOURCE = '''\
"""Of a module."""

from dataclasses import dataclass

LIMIT = 10


@dataclass(frozen=True)
class Door:
    """A door."""

    def lets_in(self, age: int, member: bool) -> bool:
        """Whether."""
        if age >= LIMIT and member:
            return True
        self.refuse()
        names: list[str]
        if names := self.names:
            return bool(names)
        return False
'''
ALL = 1_000


def changes(mutants: list[Mutant]) -> set[tuple[str, str]]:
    return {(one.was, one.becomes) for one in mutants}


def test_each_kind_of_mutant_is_made() -> None:
    assert changes(sample(SOURCE, ALL, 0)) >= {
        ("if age >= LIMIT and member:", "if age > LIMIT and member:"),
        ("if age >= LIMIT and member:", "if age >= LIMIT or member:"),
        ("if age >= LIMIT and member:", "if not age >= LIMIT and member:"),
        ("return True", "return False"),
        ("LIMIT = 10", "LIMIT = 11"),
        ("LIMIT = 10", "LIMIT = 9"),
        ("self.refuse()", "pass"),
        ("return False", "pass"),
    }


def test_no_mutant_is_of_what_does_nothing() -> None:
    """Docstrings, imports, decorators, types of names."""
    for was, _ in changes(sample(SOURCE, ALL, 0)):
        assert not was.startswith(('"""', "from", "@", "names: "))


def test_every_mutant_is_a_module_that_differs_in_one_place() -> None:
    for mutant in sample(SOURCE, ALL, 0):
        ast.parse(mutant.text)
        lines = zip(SOURCE.splitlines(), mutant.text.splitlines(), strict=True)
        assert [number for number, (a, b) in enumerate(lines, 1) if a != b] == [mutant.line]


def test_a_mutant_names_the_function_whose_body_it_is_in() -> None:
    assert {(one.was, one.function) for one in sample(SOURCE, ALL, 0)} >= {
        ("LIMIT = 10", None),
        ("return True", "Door.lets_in"),
    }


def test_a_test_that_enters_what_a_decorator_made_concerns_the_decorator() -> None:
    def decorator() -> Callable[[], None]:
        def made() -> None: ...

        return made

    assert outermost(decorator().__qualname__.partition(".<locals>.")[2]) == "decorator"
    assert outermost("Door.lets_in") == "Door.lets_in"


def test_a_sample_is_the_same_for_the_same_seed_and_in_the_order_of_lines() -> None:
    assert sample(SOURCE, 5, 1) == sample(SOURCE, 5, 1)
    assert sample(SOURCE, 5, 1) != sample(SOURCE, 5, 2)
    assert [one.line for one in sample(SOURCE, 5, 1)] == sorted(
        one.line for one in sample(SOURCE, 5, 1)
    )


def test_every_equivalent_is_of_a_module_as_it_is_and_says_why() -> None:
    """One whose line was changed since is to be looked at again."""
    for path, entries in command.equivalents().items():
        lines = [line.strip() for line in (command.ROOT / path).read_text().splitlines()]
        for entry in entries:
            found = [n for n, line in enumerate(lines) if line and entry["was"].startswith(line)]
            assert any(entry.get("above", lines[n - 1]) == lines[n - 1] for n in found), entry
            assert entry["why"], entry


def test_one_of_two_lines_alike_is_known_by_the_line_above(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"was": "return True", "becomes": "return False", "why": "as it is"}
    known = {"module.py": [{**entry, "above": "if age >= LIMIT and member:"}]}
    monkeypatch.setattr(command, "equivalents", lambda: known)
    [mutant] = [one for one in sample(SOURCE, ALL, 0) if one.becomes == "return False"]
    assert command.why_equivalent("module.py", mutant) == "as it is"
    known["module.py"][0]["above"] = "if names := self.names:"
    assert command.why_equivalent("module.py", mutant) is None


@pytest.mark.parametrize("module", ["files.access.rule", "files/access/rule.py"])
def test_a_module_is_named_by_its_name_or_its_path(module: str) -> None:
    assert command.path_of(module) == "files/access/rule.py"


@pytest.mark.parametrize("module", ["", "files.nowhere", "/etc/passwd", "files"])
def test_what_is_no_module_is_refused_with_a_word(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([module]) == 2
    assert f"there is no module “{module}”" in capsys.readouterr().err


def test_a_module_without_tests_is_refused() -> None:
    with pytest.raises(command.CannotTry, match=r"tests/files/migrations/test_0001_initial\.py"):
        command.tests_of("files/migrations/0001_initial.py")


def test_the_tests_of_a_module_are_its_own_or_its_packages_and_those_named_beside() -> None:
    of_package = command.tests_of("files/sharing/read_by/of_file.py")
    assert of_package == ["tests/files/sharing/test_read_by.py"]
    assert command.tests_of("audit/chain.py") == [
        *("tests/audit/test_chain.py", "tests/audit/test_triggers.py"),
        "tests/audit/test_announcements.py",
    ]


def test_what_is_named_beside_is_there() -> None:
    """A module or a file of tests that was moved takes its row along."""
    for path, tests in command.TESTS_OF.items():
        assert all((command.ROOT / one).is_file() for one in (path, *tests)), path


@pytest.mark.integration
def test_mutants_are_killed_in_a_copy_and_the_tree_stays_as_it_is() -> None:
    path = command.ROOT / "files" / "web" / "transfers" / "byteranges.py"
    before = path.read_bytes(), path.stat().st_mtime_ns
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "files.web.transfers.byteranges", "--sample=8"],
        cwd=command.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"byteranges\.py: [5-8] tried, [5-8] killed, 0 timed out", done.stdout)
    assert "s left" in done.stderr
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
