"""`make mutants MODULE=files.access.rule`: does any test fail when the module is wrong?

A random sample of mutants of one module is tried against the tests that concern it, all in a copy
of the tree that is thrown away. Printed are those that survive: each lacks a test, or is
equivalent, and then `equivalent.toml` says why. The status is 1 where any did.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant, sample
from tests.mutation.trials import KILLED, SURVIVED, TIMED_OUT, UNTRIED

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
# Beside the one that mirrors the module, or its package.
TESTS_OF: dict[str, list[str]] = {
    "audit/chain.py": ["tests/audit/test_triggers.py", "tests/audit/test_announcements.py"],
    "files/access/explaining.py": [
        *("tests/files/access/test_rule.py", "tests/files/access/test_programs.py"),
        "tests/files/access/test_trees.py",
    ],
    "files/access/rule.py": [
        *("tests/files/access/test_programs.py", "tests/files/access/test_trees.py"),
    ],
    "files/crypto/stream/decryption.py": ["tests/files/crypto/test_tampering.py"],
    "files/crypto/tokens.py": ["tests/files/crypto/lanes/test_lanes.py"],
    "files/sharing/ending.py": ["tests/notices/test_sources.py"],
    "files/sharing/requests.py": ["tests/files/vault/test_outside.py"],
    "files/sharing/senders.py": [
        *("tests/files/vault/test_outside.py", "tests/files/web/outside/test_asked.py"),
    ],
    "files/storage/writer.py": ["tests/files/storage/test_suspension.py"],
    "files/web/transfers/tus/operations.py": ["tests/files/web/outside/test_asked.py"],
    "files/web/transfers/tus/protocol.py": [
        "tests/files/web/transfers/tus/test_answers.py",
        "tests/files/web/transfers/tus/test_operations.py",
    ],
}
PYTEST = [
    *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:xdist"),
    *("-p", "no:cacheprovider", "-o", "timeout=0", "-o", "faulthandler_timeout=0"),
]


class CannotTry(Exception):
    """There is nothing to try, or the tests fail as it is. The message says which."""


@dataclass(frozen=True)
class Tried:
    """A mutant and what became of it."""

    mutant: Mutant
    outcome: str


def main(arguments: list[str] | None = None) -> int:
    """Try the sample, print what survived."""
    options = _parser().parse_args(arguments)
    # As an interrupt does, so that the copy goes in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    try:
        path = path_of(options.module)
        tests = tests_of(path)
        source = (ROOT / path).read_text()
        chosen = sample(source, options.sample, options.seed, path)
        known = [one for one in chosen if why_equivalent(path, one)]
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copy = Path(folder) / "tree"
            _copy(copy)
            left = [one for one in chosen if one not in known]
            tried = _try(copy, path, tests, left) if left else []
    except CannotTry as reason:
        print(f"make mutants: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    survived = [one.mutant for one in tried if one.outcome == SURVIVED]
    for mutant in survived:
        print(mutant.diff)
    killed, late = (sum(one.outcome == what for one in tried) for what in (KILLED, TIMED_OUT))
    print(
        f"{path}: {len(tried)} tried, {killed} killed, {late} timed out, {len(survived)} survived, "
        f"{len(known)} known as equivalent; {time.monotonic() - began:.0f} s"
    )
    return 1 if survived else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("module", help="files.access.rule, or files/access/rule.py")
    parser.add_argument("--sample", type=int, default=40, help="how many mutants at most")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other mutants")
    return parser


def path_of(module: str) -> str:
    """The module's file below the top, by its name or its path. Raises CannotTry."""
    path = module if module.endswith(".py") else module.replace(".", "/") + ".py"
    if not module or Path(path).is_absolute() or not (ROOT / path).is_file():
        raise CannotTry(f"there is no module “{module}”: say MODULE=files.access.rule, for example")
    return path


def tests_of(path: str) -> list[str]:
    """The files of tests that concern the module. Raises CannotTry where there are none.

    A package of small modules may have one file for all of them.
    """
    folder = Path(path).parent
    mirrored = f"tests/{folder}/test_{Path(path).name}"
    of_package = f"tests/{folder.parent}/test_{folder.name}.py"
    found = next(([one] for one in (mirrored, of_package) if (ROOT / one).is_file()), [])
    found += TESTS_OF.get(path, [])
    if not found:
        raise CannotTry(f"there is no {mirrored}: name tests in {Path(__file__).name}")
    return found


def equivalents() -> dict[str, list[dict[str, str]]]:
    """Those that are known, by the path of their module: `was`, `becomes`, `why`.

    And `above`, where there is more than one such line, and the other one is not equivalent.
    """
    return tomllib.loads(EQUIVALENT.read_text())


def why_equivalent(path: str, mutant: Mutant) -> str | None:
    """Why no test can tell the mutant from the module; None where that is not known."""
    for one in equivalents().get(path, []):
        said = one["was"], one["becomes"], one.get("above", mutant.above)
        if said == (mutant.was, mutant.becomes, mutant.above):
            return one["why"]
    return None


def _copy(to: Path) -> None:
    """Copy what git has or would have, as it lies here."""
    git = shutil.which("git") or "git"
    listing = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listing, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def _try(copy: Path, path: str, tests: list[str], mutants: list[Mutant]) -> list[Tried]:
    """All of them: in forks first, and what is left of them each in a process of its own."""
    forked = [one for one in mutants if one.function is not None]
    outcomes = dict(zip(forked, _in_forks(copy, path, tests, forked), strict=True))
    again = [one for one in mutants if outcomes.get(one, UNTRIED) in {SURVIVED, UNTRIED}]
    for number, mutant in enumerate(again, 1):
        print(f"\rAlone: {number} of {len(again)} ", end="", file=sys.stderr, flush=True)
        outcomes[mutant] = _alone(copy, path, tests, mutant)
    print(file=sys.stderr)
    return [Tried(one, outcomes[one]) for one in mutants]


def _in_forks(copy: Path, path: str, tests: list[str], mutants: list[Mutant]) -> list[str]:
    order = copy.with_name("order.json")
    wanted = [(one.text, one.function) for one in mutants]
    order.write_text(json.dumps({"path": path, "mutants": wanted}))
    print(f"Running {' '.join(tests)} once as they are", file=sys.stderr)
    done = subprocess.run(
        [*PYTEST, "-s", "-p", "tests.mutation.trials", *tests],
        cwd=copy,
        env={**os.environ, "MUTATION_ORDER": str(order)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if not order.with_suffix(".answer").is_file():
        raise CannotTry(f"the tests fail as it is:\n{done.stdout[-4000:]}")
    answer: list[str] = json.loads(order.with_suffix(".answer").read_text())
    return answer


def _alone(copy: Path, path: str, tests: list[str], mutant: Mutant) -> str:
    """In a process that has loaded nothing but the mutant."""
    kept = (copy / path).read_bytes()
    (copy / path).write_text(mutant.text)
    # Byte code of two mutants of one second and one length would be taken for one another's.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*PYTEST, *tests],
            cwd=copy,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=600,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        (copy / path).write_bytes(kept)
    return KILLED if done.returncode else SURVIVED


if __name__ == "__main__":
    sys.exit(main())
