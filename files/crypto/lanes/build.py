"""`python -m files.crypto.lanes.build`: compile `lanes.c` for this machine, and measure it once.

It stays in this folder, and git ignores it. Nothing is fetched. Where it cannot be built, it says
why, and Python's way is taken: a build that fails must never stop anything.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from files.crypto import lanes
from files.crypto.lanes import LIBRARY, MOST, NOTE, SOURCE, Lanes

PATIENCE: Final = 120
"""Seconds for a compiler."""

FLAGS: Final = ("-O3", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")

WIDTHS: Final = tuple((ciphers, macs) for ciphers in (2, 4, 8) for macs in (2, 3, 4))
"""Frames side by side that are tried: which of them pays differs by processor."""

_PAYLOAD: Final = 1 << 18
_ROUNDS: Final = 5


class NotBuilt(Exception):
    """It could not be built, and why."""


def compiler() -> list[str]:
    """The command of a C compiler. Raises NotBuilt."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        if shutil.which(named[0]) is None:
            raise NotBuilt(f"CC names {named[0]}, which is not there")
        return named
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    raise NotBuilt("there is no C compiler")


def build(target: Path, *, flags: Sequence[str] = ()) -> None:
    """Compile into `target`, which is there whole or as it was before. Raises NotBuilt."""
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise NotBuilt("Python.h is missing (Debian and Ubuntu: apt-get install python3-dev)")
    new = target.with_name(f".{os.getpid()}.{target.name}")
    define = f'-DSOURCE="{lanes.source_digest()}"'
    command = [*compiler(), *FLAGS, *flags, f"-I{include}", define, str(SOURCE), "-o", str(new)]
    try:
        ended = subprocess.run(  # noqa: S603 - of a compiler that is found or named here
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if ended.returncode:
            target.unlink(missing_ok=True)
            said = ended.stderr.strip().splitlines() or ["it said nothing"]
            raise NotBuilt(f"{command[0]} failed: {said[-1][:200]}")
        new.replace(target)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotBuilt(f"{command[0]}: {error}") from None
    finally:
        new.unlink(missing_ok=True)


def measure(built: Lanes) -> tuple[int, int]:
    """How many frames side by side to encrypt and to authenticate are fastest here."""
    key = bytes(range(32))
    prefix, payload = bytes(lanes.PREFIX_LENGTH), bytes(_PAYLOAD)
    frames = tuple((bytearray(_PAYLOAD + 73), prefix, payload) for _ in range(MOST))
    taken = dict.fromkeys(WIDTHS, float("inf"))
    for _ in range(_ROUNDS):
        for ciphers, macs in WIDTHS:
            began = time.perf_counter()
            built.library.seal(key, frames, ciphers, macs)
            taken[ciphers, macs] = min(taken[ciphers, macs], time.perf_counter() - began)
    return min(taken, key=lambda width: taken[width])


def is_current() -> bool:
    """Whether what is there was built from this source."""
    return LIBRARY.exists() and lanes.read_note().get("source") == lanes.source_digest()


def main() -> None:
    """Build unless that is done already. Always ends well."""
    if is_current():
        return
    note: dict[str, object] = {}
    try:
        note["source"] = lanes.source_digest()
        if not lanes.is_for_this_machine():
            raise NotBuilt("lanes are for Linux on x86-64")
        build(LIBRARY)
        note["ciphers"], note["macs"] = measure(lanes.load())
        said = f"Built what seals and opens {note['ciphers']} frames side by side"
    except (NotBuilt, ImportError) as error:
        note["said"] = " ".join(str(error).split())
        said = f"Frames are sealed and opened in Python, which is slower: {error}"
    try:
        NOTE.write_text("".join(f"{name}={value}\n" for name, value in note.items()))
    except OSError as error:
        said += f" ({error})"
    sys.stdout.write(said + "\n")


if __name__ == "__main__":
    main()
