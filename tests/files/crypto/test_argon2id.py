"""Keys from what people type: the same from any implementation, in any number of threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from files.crypto import argon2id
from runtime.slots import SLOTS

ROOT = Path(__file__).parents[3]
CHEAP = {"memory": 1024, "passes": 1, "lanes": 4}
KNOWN = "30bec1e3b400f63bd047e20f18c55a711765382a295d013c3d21293b92f184a2"


def test_what_was_derived_once_is_derived_for_ever() -> None:
    assert argon2id.derive(b"correct horse", salt=bytes(range(16)), **CHEAP).hex() == KNOWN


def test_both_implementations_derive_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_argon2 = argon2id.derive(b"x", salt=bytes(16), **CHEAP)
    monkeypatch.setattr(argon2id, "argon2", None)
    assert argon2id.derive(b"x", salt=bytes(16), **CHEAP) == with_argon2


@pytest.mark.integration
@pytest.mark.parametrize("without", ["", "argon2"])
def test_many_threads_at_once_all_end(without: str) -> None:
    """In a process of its own: a derivation that hangs cannot be ended in another way."""
    program = f"""
import sys
if {without!r}:
    sys.modules[{without!r}] = None
from concurrent.futures import ThreadPoolExecutor
from files.crypto import argon2id
assert (argon2id.argon2 is None) == bool({without!r})
def derive(number):
    return argon2id.derive(b"x", salt=bytes([number]) * 16, memory=8192, passes=1, lanes=4)
with ThreadPoolExecutor({4 * SLOTS}) as pool:
    print(len(set(pool.map(derive, range({16 * SLOTS})))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert (done.stdout.decode().strip(), done.stderr.decode()) == (str(16 * SLOTS), "")


def test_no_memory_for_it_is_too_busy() -> None:
    """A bound of the process's own on its memory, in a process of its own."""
    program = """
import resource
from files.crypto import argon2id
from files.crypto.errors import TooBusy
for implementation in (argon2id.argon2, None):
    argon2id.argon2 = implementation
    argon2id.derive(b"x", salt=bytes(16), memory=64, passes=1, lanes=1)
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, resource.RLIM_INFINITY))
    try:
        argon2id.derive(b"x", salt=bytes(16), memory=1 << 20, passes=1, lanes=1)
    except TooBusy as busy:
        print(busy)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert done.stderr.decode() == ""
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 2
    assert all("emory" in line for line in lines)


def test_threads_of_this_process_take_turns_with_the_real_thing() -> None:
    with ThreadPoolExecutor(4 * SLOTS) as pool:
        results = pool.map(
            lambda _: argon2id.derive(b"x", salt=bytes(16), **CHEAP), range(16 * SLOTS)
        )
        assert len(set(results)) == 1
