"""The one-file program begins quickly, runs nobody else's code, and runs whatever its cache is."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from client import build

PLANTED = 77
"""The exit code of code that was put into the cache."""


class Program:
    """The program, on a machine of which only the home is known."""

    def __init__(self, folder: Path) -> None:
        build.build(folder / "program")
        self.path = folder / "program" / build.ONE_FILE
        self.home = folder / "home"
        (self.home / ".cache").mkdir(parents=True)

    @property
    def folder(self) -> Path:
        return self.home / ".cache" / "securestore"

    @property
    def kept(self) -> Path:
        return self.folder / f"{sys.implementation.cache_tag}.code"

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **env: str) -> int:
        """Start it; its exit code."""
        process = self.start(str(self.path), *(words or ("--version",)), **env)
        out, err = process.communicate(timeout=60)
        if not process.returncode:
            assert (out.startswith("securestore "), err) == (True, "")
        return process.returncode

    def plant(self) -> None:
        """Put other code into what is kept, as whoever may write there could."""
        stamp, codes = marshal.loads(self.kept.read_bytes()[4:])  # noqa: S302 - the test's own
        code = compile(f"raise SystemExit({PLANTED})", "planted", "exec")
        codes["securestore_client.cli"] = False, marshal.dumps(code)
        data = marshal.dumps((stamp, codes))
        self.kept.write_bytes(zlib.crc32(data).to_bytes(4, "big") + data)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_what_was_compiled_is_kept_for_the_user_alone_and_taken_from_there(
    program: Program,
) -> None:
    assert program.run() == 0
    assert [path.name for path in program.folder.iterdir()] == [program.kept.name]
    assert program.folder.stat().st_mode & 0o777 == 0o700
    assert program.kept.stat().st_mode & 0o777 == 0o600
    program.plant()
    assert program.run() == PLANTED


def writable_file(program: Program) -> None:
    program.kept.chmod(0o620)


def writable_folder(program: Program) -> None:
    program.folder.chmod(0o702)


def linked_file(program: Program) -> None:
    program.kept.rename(program.home / "elsewhere")
    program.kept.symlink_to(program.home / "elsewhere")


def linked_folder(program: Program) -> None:
    program.folder.rename(program.home / "elsewhere")
    program.folder.symlink_to(program.home / "elsewhere")


def of_another(path: Callable[[Program], Path]) -> Callable[[Program], None]:
    def give(program: Program) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(path(program), 12345, -1)

    return give


@pytest.mark.parametrize(
    "put",
    [
        writable_file,
        writable_folder,
        linked_file,
        linked_folder,
        of_another(lambda program: program.kept),
        of_another(lambda program: program.folder),
        # Root, who was given a person's home by `sudo`.
        of_another(lambda program: program.home / ".cache"),
    ],
    ids=lambda put: put.__qualname__,
)
def test_what_another_could_have_written_is_not_run(
    program: Program, put: Callable[[Program], None]
) -> None:
    assert program.run() == 0
    program.plant()
    put(program)
    before = sorted(path.name for path in program.home.rglob("*"))
    assert program.run() == 0
    assert sorted(path.name for path in program.home.rglob("*")) == before, "a draft was left"


@pytest.mark.parametrize("spoiled", [b"", b"123", b"1234", bytes(1000)])
def test_what_is_damaged_is_made_anew(program: Program, spoiled: bytes) -> None:
    assert program.run() == 0
    whole = program.kept.read_bytes()
    program.kept.write_bytes(whole[: len(whole) // 2] if spoiled == b"123" else spoiled)
    assert program.run() == 0
    assert len(program.kept.read_bytes()) == len(whole)


def test_of_another_release_nothing_is_taken(program: Program) -> None:
    assert program.run() == 0
    program.plant()
    first, sources = program.path.read_bytes(), build.sources()
    sources["securestore_client/cli.py"] += b"# a word more"
    main = {"__main__.py": (build.HERE / build.MAIN).read_bytes()}
    program.path.write_bytes(build.archive({**main, **sources}))
    assert program.run() == 0
    program.path.write_bytes(first)
    assert program.run() == 0, "what was planted is gone"


def test_a_damaged_archive_is_not_compiled(program: Program) -> None:
    content = program.path.read_bytes()
    program.path.write_bytes(content.replace(b"Files of a Securestore", b"Files of a securestore"))
    assert program.run() == 0, "as Python takes it from there"
    assert list(program.folder.iterdir()) == []


def test_where_nothing_may_be_kept_it_runs_all_the_same(program: Program) -> None:
    assert program.run(PYTHONDONTWRITEBYTECODE="1") == 0
    assert not program.folder.exists()
    (program.home / ".cache").rmdir()
    assert program.run() == 0
    assert list(program.home.iterdir()) == []
    (program.home / "relative" / ".cache").mkdir(parents=True)
    assert program.run(XDG_CACHE_HOME="relative") == 0
    assert program.run(HOME="relative") == 0
    assert not list(program.home.glob("relative/**/securestore"))
    assert program.run(HOME="/nonexistent") == 0


def test_many_that_begin_at_once_leave_one_whole_file(program: Program) -> None:
    started = [program.start(str(program.path), "--version") for _ in range(6)]
    for process in started:
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
    assert [path.name for path in program.folder.iterdir()] == [program.kept.name]
    program.plant()
    assert program.run() == PLANTED


TOLD = """
import atexit, runpy, sys
atexit.register(lambda: sys.stdout.write("\\n" + "\\n".join(sys.modules)))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def loaded(program: Program, *words: str) -> set[str]:
    """The modules of a run, of which nothing on this machine adds any."""
    process = program.start("-S", "-c", TOLD, str(program.path), *words)
    out, _ = process.communicate(timeout=60)
    return set(out.splitlines())


HEAVY = {"socket", "ssl", "email", "http.client", "dataclasses", "inspect", "subprocess"}
NOT_TO_LIST = {"urllib.request", "http.server", "webbrowser", "subprocess", "concurrent.futures"}
OTHERS = {"putting", "getting", "batching", "signing_in", "commands.transfers"}


@pytest.mark.parametrize("kept", [False, True])
def test_it_loads_what_the_command_needs_and_no_more(program: Program, kept: bool) -> None:
    """What starts a command is waited for, each time."""
    if kept:
        program.run()
    else:
        (program.home / ".cache").rmdir()
    found = loaded(program, "--version")
    assert "securestore_client.cli" in found
    assert found & HEAVY == set()
    assert not [name for name in found if name.startswith("securestore_client.commands")]
    found = loaded(program, "ls", "--server", "http://127.0.0.1:9")
    assert "securestore_client.commands.looking" in found
    assert found & NOT_TO_LIST == set()
    assert found & {f"securestore_client.{name}" for name in OTHERS} == set()
