"""What `make install` puts on a server, and which tests each stage runs.

On a server is what requirements.txt pins, and no more.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from tests.conftest import LONGEST

ROOT = Path(__file__).parent.parent
NAMED = f"PYTHON={sys.executable}"
MAKE, CKSUM = (shutil.which(name) or name for name in ("make", "cksum"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that make goes by, with a virtual environment and what browsers get."""
    for name in ("Makefile", "package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / name, tmp_path)
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".venv" / "created.stamp").touch()
    (tmp_path / "static" / "vendor").mkdir(parents=True)
    return tmp_path


def built(tree: Path, of: str) -> None:
    (tree / "static" / "vendor" / "stamp").write_text(f"{of}\n")


def digest(tree: Path) -> str:
    with (tree / "package-lock.json").open("rb") as file:
        return subprocess.check_output([CKSUM], stdin=file, text=True).strip()


def make(tree: Path, *words: str, path: str = os.environ["PATH"]) -> str:
    """What make says that it would do, or does."""
    done = subprocess.run(
        [MAKE, *words],
        cwd=tree,
        env={"PATH": path, "HOME": str(tree)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.integration
def test_a_deployment_needs_neither_the_store_nor_what_tests_need(tree: Path) -> None:
    built(tree, digest(tree))
    would = make(tree, "-n", "install", NAMED)
    assert "--require-hashes -r requirements.txt\n" in would
    for other in ("requirements-store", "requirements-dev", "seaweedfs", "npm", "-m venv"):
        assert other not in would


@pytest.mark.integration
def test_what_browsers_get_may_be_built_elsewhere_of_the_same_version(tree: Path) -> None:
    built(tree, "of another version")
    assert "npm ci" in make(tree, "-n", "install", NAMED)
    without_npm = tree / "bin"
    without_npm.mkdir()
    for name in ("make", "sh", "cksum", "cat", "test", "env"):
        (without_npm / name).symlink_to(shutil.which(name) or name)
    said = make(tree, "static", NAMED, path=str(without_npm))
    assert "npm is missing" in said
    assert "copy static/vendor" in said


@pytest.mark.integration
def test_the_python_that_is_named_is_the_one_that_is_used(tree: Path) -> None:
    """Although sudo has another PATH, and although there is an environment of another one."""
    other = tree / "python-of-another-prefix"
    other.write_text("#!/bin/sh\necho elsewhere 3.99\n")
    other.chmod(0o755)
    would = make(tree, "-n", "install", f"PYTHON={other}")
    assert f'"{other}" -m venv --clear .venv' in would
    assert "-m venv" not in make(tree, "-n", "install", NAMED)
    assert "-m venv" not in make(tree, "-n", "install")


def test_what_takes_longest_is_there() -> None:
    """It is begun first: a file of another name would be begun last."""
    assert [name for name in LONGEST if not (ROOT / "tests" / name).exists()] == []


@pytest.fixture(scope="module")
def would_run() -> dict[str, list[str]]:
    """The lines of each stage, as make would run them."""
    stages = ("unit", "functional", "integration", "browser", "soak")
    return {
        stage: make(ROOT, "-n", stage, NAMED).replace("\\\n", " ").splitlines() for stage in stages
    }


@pytest.mark.parametrize(
    ("marks", "stage"),
    [
        (set(), "unit"),
        ({"functional"}, "functional"),
        ({"integration"}, "integration"),
        ({"integration", "alone"}, "integration"),
        ({"browser"}, "browser"),
        ({"soak"}, "soak"),
        ({"integration", "soak"}, "soak"),
        ({"integration", "alone", "soak"}, "soak"),
        ({"browser", "soak"}, "soak"),
    ],
)
def test_each_test_runs_in_one_stage_once(
    would_run: dict[str, list[str]], marks: set[str], stage: str
) -> None:
    """What is long, above all, not in each run because it needs the store as well."""
    for target, would in would_run.items():
        # What failed is tried once more, and `make soak` tries properties with more examples.
        once = {line.split("||")[0] for line in would if "-m pytest" in line}
        asked = [expression for line in once for expression in re.findall(r'-m "(.*?)"', line)]
        run = [one for one in asked if _runs(one, marks) and "hypothesis" not in one]
        assert len(run) == (target == stage), (target, run)


def _runs(expression: str, marks: set[str]) -> bool:
    def has(name: str, /, **_arguments: object) -> bool:
        return name in marks

    return Expression.compile(expression).evaluate(has)


@pytest.mark.integration
def test_a_deployment_has_the_byte_code_of_all_that_it_runs(tree: Path) -> None:
    """The service's account may write none, and would compile it anew at every start."""
    built(tree, digest(tree))
    [line] = [one for one in make(tree, "-n", "install", NAMED).splitlines() if "compileall" in one]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(line.split("-q ")[1].split()) == packages - {"launcher", "client", "benchmarks"}
