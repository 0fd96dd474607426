"""`python -m files.crypto` beside age, rclone's crypt, and one Fernet token for the whole file.

Every contender is a process of its own, from its start to its end, on files in `/dev/shm`. Its peak
memory is what the kernel counted for it.
"""

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import MIB, Figure
from benchmarks.site import MEMORY, ROOT

SERIES = (1, 4, 16, 64, 256, 1024)
"""MiB of the files that show how time grows with size."""

# Starts a program and says how long it took and how much memory it had. A process of its own,
# because a child counts its parent's memory until it has become the program.
STOPWATCH = """
import os, sys, time
began = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - began, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""

# The original design, in the fewest lines: the whole file, one token, written.
WHOLE = {
    "encrypt": """
import sys
from pathlib import Path
from cryptography.fernet import Fernet
key, source, target = map(Path, sys.argv[1:])
target.write_bytes(Fernet(key.read_bytes()).encrypt(source.read_bytes()))
""",
    "decrypt": """
import sys
from pathlib import Path
from cryptography.fernet import Fernet
key, source, target = map(Path, sys.argv[1:])
target.write_bytes(Fernet(key.read_bytes()).decrypt(source.read_bytes()))
""",
}
WHOLE_TAKES = 9
"""Times the size of the file: the memory that the original design wants, and a little more."""


class Run(NamedTuple):
    """One process from start to end: seconds, and bytes of memory at its peak."""

    seconds: float
    memory: int


Command = Callable[[Path, Path], Sequence[str]]
"""The command line from a file to another."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A program that encrypts and decrypts a file."""

    words: str
    encrypt: Command
    decrypt: Command
    environment: Mapping[str, str]
    reach: Mapping[str, float] | None = None
    """How many times as fast ours shall be, to encrypt and to decrypt."""
    memory: float | None = None
    """The most that ours may take of its memory."""


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Both directions beside every peer that there is; then time by size, of ours alone."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        ours = _ours(folder)
        peers = list(_peers(folder, size))
        source = _noise(folder / "plain", size)
        measured = _measure([ours, *peers], source, folder, runs)
        for direction, verb in (("encrypt", "Encrypted"), ("decrypt", "Decrypted")):
            took = {each: runs[direction] for each, runs in measured.items()}
            yield from _rates(direction, f"{verb} by the command", size, took, ours, peers)
            yield from _peaks(f"Memory of {direction}", took, ours, peers)
        yield from _series(ours, folder, size, runs)


def _rates(
    direction: str,
    name: str,
    size: int,
    took: Mapping[Contender, Sequence[Run]],
    ours: Contender,
    peers: Sequence[Contender],
) -> Iterator[Figure]:
    rates = {each: [size / MIB / run.seconds for run in runs] for each, runs in took.items()}
    if not peers:
        yield Figure(name, "MiB/s", rates[ours])
    for peer in peers:
        reach = peer.reach[direction] if peer.reach else None
        yield Figure(name, "MiB/s", rates[ours], peer.words, rates[peer], reach)


def _peaks(
    name: str,
    took: Mapping[Contender, Sequence[Run]],
    ours: Contender,
    peers: Sequence[Contender],
) -> Iterator[Figure]:
    peaks = {each: [run.memory / MIB for run in runs] for each, runs in took.items()}
    if not peers:
        yield Figure(name, "MiB", peaks[ours])
    for peer in peers:
        yield Figure(name, "MiB", peaks[ours], peer.words, peaks[peer], peer.memory, at_most=True)


def _series(ours: Contender, folder: Path, size: int, runs: int) -> Iterator[Figure]:
    """Seconds for each size: a straight line, from what starting Python takes."""
    for mib in SERIES:
        if mib * MIB > size:
            return
        source = _noise(folder / "plain", mib * MIB)
        measured = _measure([ours], source, folder, runs)[ours]
        for direction in ("encrypt", "decrypt"):
            taken = [run.seconds for run in measured[direction]]
            yield Figure(f"Command, {direction}", "s", taken, at=mib)


def _measure(
    contenders: Sequence[Contender], source: Path, folder: Path, runs: int
) -> dict[Contender, dict[str, list[Run]]]:
    """By turns, in each round all of them. What each decrypts is compared with the file."""
    results: dict[Contender, dict[str, list[Run]]] = {
        each: {"encrypt": [], "decrypt": []} for each in contenders
    }
    for number in range(runs):
        for each in contenders:
            sealed, out = folder / "sealed", folder / "out"
            results[each]["encrypt"].append(_run(each.encrypt(source, sealed), each.environment))
            results[each]["decrypt"].append(_run(each.decrypt(sealed, out), each.environment))
            if not number and not filecmp.cmp(source, out, shallow=False):
                raise RuntimeError(f"{each.words} did not give the file back")
            sealed.unlink()
            out.unlink()
    return results


def _run(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    ended = _started([sys.executable, "-I", "-S", "-c", STOPWATCH, *command], environment)
    seconds, memory, code = ended.stdout.split()[-3:]
    if int(code):
        raise RuntimeError(f"{command[0]} exited with {int(code)}: {ended.stderr}")
    return Run(float(seconds), int(memory) * 1024)


def _started(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - every command line is built here, none by a shell
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=True,
    )


def _noise(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


# --- The contenders ----------------------------------------------------------------------------


def _ours(folder: Path) -> Contender:
    program = [sys.executable, "-m", "files.crypto"]
    key = str(folder / "key")
    _started([*program, "make-key", key])

    def command(direction: str) -> Command:
        return lambda source, target: [
            *program, direction, str(source), "-o", str(target), "-k", key
        ]  # fmt: skip

    return Contender("ours", command("encrypt"), command("decrypt"), {})


def _peers(folder: Path, size: int) -> Iterator[Contender]:
    yield _copy()
    for name, make in (("age", _age), ("rclone", _rclone)):
        program = installed(name)
        if program is None:
            sys.stderr.write(f"{name} is not installed: left out (run `make bench`)\n")
        else:
            yield make(folder, program)
    if _free_memory() > (WHOLE_TAKES + 4) * size:
        yield _whole(folder)
    else:
        sys.stderr.write(f"Too little memory for {WHOLE_TAKES} times the file: Fernet left out\n")


def installed(name: str) -> str | None:
    """A program beside this Python, or on the path; None where there is none."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return shutil.which(name, path=path)


def _free_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


def _copy() -> Contender:
    """No cryptography, hence no reach: what reading and writing alone take on one core."""

    def command(source: Path, target: Path) -> Sequence[str]:
        return ["/bin/cp", str(source), str(target)]

    return Contender("cp", command, command, {})


def _age(folder: Path, program: str) -> Contender:
    key = folder / "age.key"
    made = _started([program.removesuffix("age") + "age-keygen", "-o", str(key)])
    recipient = made.stderr.split()[-1]
    return Contender(
        "age",
        lambda source, target: [program, "-r", recipient, "-o", str(target), str(source)],
        lambda source, target: [program, "-d", "-i", str(key), "-o", str(target), str(source)],
        {},
        reach={"encrypt": 1.6, "decrypt": 2.2},
    )


def _rclone(folder: Path, program: str) -> Contender:
    """A crypt remote on this folder, configured by the environment; the defaults otherwise."""
    obscured = _started([program, "obscure", os.urandom(16).hex()]).stdout.strip()
    remote = {
        "TYPE": "crypt",
        "REMOTE": str(folder),
        "PASSWORD": obscured,
        "FILENAME_ENCRYPTION": "off",
        "SUFFIX": "none",
    }
    copy = [program, "copyto"]
    return Contender(
        "rclone crypt",
        lambda source, target: [*copy, str(source), f"SEALED:{target.name}"],
        lambda source, target: [*copy, f"SEALED:{source.name}", str(target)],
        {"RCLONE_CONFIG": os.devnull}
        | {f"RCLONE_CONFIG_SEALED_{name}": value for name, value in remote.items()},
        reach={"encrypt": 3, "decrypt": 3},
    )


def _whole(folder: Path) -> Contender:
    from cryptography.fernet import Fernet

    key = folder / "fernet.key"
    key.write_bytes(Fernet.generate_key())

    def command(direction: str) -> Command:
        return lambda source, target: [
            sys.executable, "-c", WHOLE[direction], str(key), str(source), str(target)
        ]  # fmt: skip

    return Contender(
        "whole file, one Fernet token",
        command("encrypt"),
        command("decrypt"),
        {},
        reach={"encrypt": 10, "decrypt": 10},
        memory=1 / 40,
    )
