"""The build: whole or as before, and nothing that stops anybody."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from files.crypto import lanes
from files.crypto.lanes import build
from tests.files.crypto.ways import native

ROOT = Path(lanes.__file__).parents[3]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is built."""
    for module in (lanes, build):
        monkeypatch.setattr(module, "NOTE", tmp_path / "built.txt")
        monkeypatch.setattr(module, "LIBRARY", tmp_path / "_lanes.abi3.so")
    monkeypatch.setattr(lanes.load, "__defaults__", (tmp_path / "_lanes.abi3.so",))
    return tmp_path


def compiler(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_it_is_built_once_and_measured(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    native()
    build.main()
    assert "side by side" in capsys.readouterr().out
    assert sorted(path.name for path in here.iterdir()) == ["_lanes.abi3.so", "built.txt"]
    note = lanes.read_note()
    assert (int(note["ciphers"]), int(note["macs"])) in build.WIDTHS
    found = lanes.load()
    assert (found.ciphers, found.macs) == (int(note["ciphers"]), int(note["macs"]))
    before = (here / "_lanes.abi3.so").stat()
    build.main()
    assert (here / "_lanes.abi3.so").stat() == before
    assert capsys.readouterr().out == ""
    (here / "built.txt").write_text("source=another\n")
    assert not build.is_current()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'lanes.c: no such instruction' >&2; exit 1", "no such instruction"),
        ("exit 1", "said nothing"),
        ("exit 0", "No such file"),
        ('echo nothing > "$(eval echo \\${$#})"', "invalid ELF|file too short"),
    ],
)
def test_a_build_that_fails_stops_nothing_and_is_told(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    said: str,
) -> None:
    native()
    (here / "bin").mkdir()
    monkeypatch.setenv("CC", compiler(here / "bin" / "cc", script))
    build.main()
    told = capsys.readouterr().out
    assert told.startswith("Frames are sealed and opened in Python, which is slower: ")
    with pytest.raises(ImportError, match=said):
        lanes.load()
    assert not list(here.glob(".*"))


@pytest.mark.parametrize("cc", ["", "/nowhere/cc -O2"])
def test_without_a_compiler_nothing_is_built(
    here: Path, monkeypatch: pytest.MonkeyPatch, cc: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setenv("CC", cc)
    with pytest.raises(build.NotBuilt, match=r"no C compiler|is not there"):
        build.compiler()
    build.main()
    assert not lanes.LIBRARY.exists()


def test_without_pythons_headers_they_are_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(here))
    with pytest.raises(build.NotBuilt, match="python3-dev"):
        build.build(here / "_lanes.abi3.so")


def test_another_machine_builds_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: False)
    build.main()
    assert "x86-64" in lanes.read_note()["said"]
    assert not lanes.LIBRARY.exists()


def test_a_folder_that_cannot_be_written_stops_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "NOTE", here / "nowhere" / "built.txt")
    monkeypatch.setattr(build, "LIBRARY", here / "nowhere" / "_lanes.abi3.so")
    build.main()
    assert "in Python" in capsys.readouterr().out


# Every test of tokens, streams and lanes, and every fuzz test of them, on a library of theirs.
PLUGIN = """
import os
from pathlib import Path
from files.crypto import lanes

lanes.load.__defaults__ = (Path(os.environ["SANITIZED"]),)
assert lanes.choose("native").lanes is not None, lanes.choice().said
"""


@pytest.mark.soak
@pytest.mark.parametrize(
    ("flags", "preload"),
    [
        (("-fsanitize=address", "-fno-omit-frame-pointer", "-g", "-O1"), "libasan.so"),
        (("-fsanitize=undefined", "-fno-sanitize-recover=all", "-g"), "libubsan.so"),
    ],
)
def test_under_the_sanitizers(tmp_path: Path, flags: tuple[str, ...], preload: str) -> None:
    native()
    library = tmp_path / "_lanes.abi3.so"
    build.build(library, flags=flags)
    (tmp_path / "on_sanitized.py").write_text(PLUGIN)
    runtime = subprocess.run(
        [*build.compiler(), f"-print-file-name={preload}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": runtime,
        # Every buffer of Python's stands between guarded bytes then; leaks are the interpreter's.
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "SANITIZED": str(library),
        "PYTHONPATH": str(tmp_path),
        "FUZZ_SECONDS": os.environ.get("FUZZ_SECONDS", "60"),
    }
    names = ["lanes/test_lanes.py", "test_tokens.py", "test_bulk.py", "test_digests.py"]
    names += ["stream/test_encryption.py", "stream/test_decryption.py"]
    tests = [f"tests/files/crypto/{name}" for name in names] + ["tests/files/fuzz/test_lanes.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "on_sanitized", "-p", "no:cacheprovider"]
    command += ["-o", "timeout=0", "-o", "faulthandler_timeout=0", "-n", "0"]
    command += ["-k", "not stack and not another_source and not measured"]
    ended = subprocess.run(
        [*command, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]


@pytest.mark.soak
def test_the_sanitizers_see_what_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a source that writes too far: else the test above would prove nothing."""
    native()
    text = lanes.SOURCE.read_text()
    right = "put_state(tag, state);"
    assert text.count(right) == 1
    wrong = tmp_path / "lanes.c"
    wrong.write_text(text.replace(right, right + " tag[40] = 0;"))
    monkeypatch.setattr(build, "SOURCE", wrong)
    library = tmp_path / "_lanes.abi3.so"
    build.build(library, flags=("-fsanitize=address", "-g"))
    runtime = subprocess.run(
        [*build.compiler(), "-print-file-name=libasan.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    load = "import sys, pathlib, files.crypto.lanes as it; it.load(pathlib.Path(sys.argv[1]))"
    ended = subprocess.run(
        [sys.executable, "-c", load, str(library)],
        cwd=ROOT,
        env={
            **os.environ,
            "LD_PRELOAD": runtime,
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "heap-buffer-overflow" in ended.stderr
