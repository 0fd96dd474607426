"""Both programs are the same each time, and work where nothing is installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from client import build
from client.securestore_client import __version__

ROOT = Path(__file__).parents[2]
ALONE = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


def test_the_same_sources_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build.build(tmp_path / "one")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    monkeypatch.chdir(tmp_path)
    os.umask(os.umask(0o077))
    assert build.build(tmp_path / "two") == first
    for name, sha256 in first.items():
        assert hashlib.sha256((tmp_path / "two" / name).read_bytes()).hexdigest() == sha256


def test_the_sums_are_those_of_the_files(tmp_path: Path) -> None:
    build.build(tmp_path)
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(": OK") == 2


def test_one_file_runs_where_nothing_is_installed(tmp_path: Path) -> None:
    build.build(tmp_path)
    python = [sys.executable, "-I", "-S"]
    done = subprocess.run(
        [*python, str(tmp_path / "securestore.pyz"), "--version"],
        cwd=tmp_path,
        env=ALONE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"securestore {__version__}\n"


def test_both_are_the_same_program(tmp_path: Path) -> None:
    build.build(tmp_path)
    with (
        zipfile.ZipFile(tmp_path / build.WHEEL) as wheel,
        zipfile.ZipFile(tmp_path / build.ONE_FILE) as one_file,
    ):
        shared = {name for name in wheel.namelist() if name.startswith(build.PACKAGE + "/")}
        assert shared == set(one_file.namelist()) - {"__main__.py"}
        for name in shared:
            assert wheel.read(name) == one_file.read(name)
        assert wheel.testzip() is None


@pytest.mark.integration
def test_the_wheel_is_installed_by_pip(tmp_path: Path) -> None:
    build.build(tmp_path)
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    # Without what it needs beside: a test asks no network.
    pip = [str(place / "bin/python"), "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(tmp_path / build.WHEEL)], env=ALONE, check=True)
    done = subprocess.run(
        [str(place / "bin/securestore"), "--version"],
        env=ALONE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"securestore {__version__}\n"


def test_nothing_but_the_standard_library_is_needed() -> None:
    code = (
        "import sys, pkgutil, importlib\n"
        "import client.securestore_client as package\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "own = {'client', '__main__'} | set(sys.stdlib_module_names)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - own))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env=ALONE,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
