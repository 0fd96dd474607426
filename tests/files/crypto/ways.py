"""Both ways of sealing and opening frames, in C and in Python, for tests that hold for both."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from files.crypto import lanes
from files.crypto.lanes import Choice, Lanes, build

PYTHON = Choice(None, "in Python, for a test")


@cache
def built() -> Path:
    """A library, built of the source as it is, for who copies it. Raises NotBuilt."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    library = Path(folder) / "_lanes.abi3.so"
    build.build(library)
    return library


@cache
def native() -> Lanes:
    """The C side: as `make` built it, or built here of the source as it is. Skips without it."""
    try:
        return lanes.load()
    except ImportError:
        pass
    try:
        if not lanes.is_for_this_machine():
            raise build.NotBuilt("lanes are for another machine")
        return lanes.load(built())
    except (build.NotBuilt, ImportError) as error:
        if "known answers" in str(error):
            raise
        pytest.skip(str(error))


@contextmanager
def taken(way: Choice) -> Iterator[None]:
    """Take one of the ways for a while."""
    before = list(lanes._taken)
    lanes._taken[:] = [way]
    try:
        yield
    finally:
        lanes._taken[:] = before


def in_c(ciphers: int = lanes.MOST, macs: int = lanes.MOST_MACS) -> Choice:
    """The C side with so many frames side by side."""
    return Choice(Lanes(native().library, ciphers, macs), "in C, for a test")


@pytest.fixture(scope="module", params=["python", "native"])
def each_way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything that asks for this runs both ways."""
    with taken(PYTHON if request.param == "python" else in_c()):
        yield request.param
