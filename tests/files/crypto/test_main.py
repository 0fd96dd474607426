"""`python -m files.crypto`: what it encrypts it decrypts; what it refuses, and with which words."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from files.crypto import lanes
from files.crypto.__main__ import main
from files.crypto.pipeline import thread_count
from files.crypto.rescue.__main__ import main as rescue
from files.crypto.stream.encryption import encrypt
from files.crypto.stream.keys import Context
from files.crypto.stream.layout import (
    CONTEXT_LENGTH,
    FRAME_LENGTH,
    FRAME_PAYLOAD,
    TRAILER_LENGTH,
    object_length,
)
from tests.files.crypto.rescue.exports import make
from tests.files.crypto.stream.known import VECTORS, known_data
from tests.files.crypto.ways import PYTHON, in_c, taken

ROOT = Path(__file__).parents[3]
CONTENT = os.urandom(2 * FRAME_PAYLOAD + 1000)
PASSPHRASE = "seven green bottles hang on a wall"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    assert run("make-key", path) == 0
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def sealed(tmp_path: Path, plain: Path, key: Path) -> Path:
    path = tmp_path / "sealed"
    assert run("encrypt", plain, "-o", path, "-k", key) == 0
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def program(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own, with pipes for its streams."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "files.crypto", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        **options,
    )


# --- There and back ----------------------------------------------------------------------------


def test_a_new_key_is_random_and_its_owners_alone(tmp_path: Path, key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_text().strip()) == 44
    assert run("make-key", tmp_path / "other") == 0
    assert key.read_text() != (tmp_path / "other").read_text()


def test_a_key_is_never_overwritten(key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = key.read_text()
    capsys.readouterr()
    assert run("make-key", key) == 1
    assert capsys.readouterr().err == f"{key} exists already: take another name.\n"
    assert key.read_text() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    frames=st.integers(0, 9),
    more=st.sampled_from([-1, 0, 1, 17]),
)
def test_any_file_comes_back(tmp_path: Path, key: Path, frames: int, more: int) -> None:
    content = os.urandom(max(0, frames * FRAME_PAYLOAD + more))
    plain, sealed, out = (tmp_path / name for name in ("any", "any.sealed", "any.out"))
    plain.write_bytes(content)
    assert run("encrypt", plain, "-o", sealed, "-k", key, "--force") == 0
    assert sealed.stat().st_size == object_length(len(content))
    assert run("decrypt", sealed, "-o", out, "-k", key, "--force") == 0
    assert out.read_bytes() == content


@pytest.mark.parametrize("one", ["python", "native"])
def test_either_way_reads_what_the_other_wrote(
    tmp_path: Path, plain: Path, key: Path, one: str
) -> None:
    sealed, out = tmp_path / "sealed", tmp_path / "out"
    with taken(PYTHON if one == "python" else in_c()):
        assert run("encrypt", plain, "-o", sealed, "-k", key) == 0
    with taken(in_c() if one == "python" else PYTHON):
        assert run("decrypt", sealed, "-o", out, "-k", key) == 0
    assert out.read_bytes() == CONTENT


def test_lanes_that_are_forced_and_not_to_be_had_are_an_error(
    tmp_path: Path,
    plain: Path,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lanes, "_taken", [])
    monkeypatch.setenv("CRYPTO_LANES", "native")
    monkeypatch.setattr(lanes, "is_for_this_machine", lambda: False)
    assert run("encrypt", plain, "-o", tmp_path / "sealed", "-k", key) == 1
    assert "CRYPTO_LANES=native cannot be had: lanes are for" in capsys.readouterr().err
    assert not (tmp_path / "sealed").exists()
    assert rescue([str(plain), "-o", str(tmp_path / "out"), "--key-file", str(key)]) == 1
    assert "CRYPTO_LANES=native cannot be had" in capsys.readouterr().err


def test_what_it_writes_is_its_owners_alone(tmp_path: Path, sealed: Path, key: Path) -> None:
    assert run("decrypt", sealed, "-o", tmp_path / "out", "-k", key) == 0
    for path in (sealed, tmp_path / "out"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_encryption_is_another(tmp_path: Path, plain: Path, sealed: Path, key: Path) -> None:
    again = tmp_path / "again"
    assert run("encrypt", plain, "-o", again, "-k", key) == 0
    assert again.read_bytes()[-TRAILER_LENGTH:] != sealed.read_bytes()[-TRAILER_LENGTH:]
    assert again.read_bytes()[25:1000] != sealed.read_bytes()[25:1000]


@pytest.mark.parametrize("form", ["hex", "base64"])
def test_known_answers_open(tmp_path: Path, out: Path, form: str) -> None:
    dek = bytes.fromhex(VECTORS["dek_hex"])
    key = tmp_path / "key"
    key.write_text(dek.hex() if form == "hex" else "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    context = Context.decode(bytes.fromhex(VECTORS["context_hex"]))
    sealed = tmp_path / "sealed"
    sealed.write_bytes(b"".join(encrypt(dek, context, [known_data(FRAME_PAYLOAD + 1)])))
    assert run("decrypt", sealed, "-o", out, "-k", key) == 0
    assert out.read_bytes() == known_data(FRAME_PAYLOAD + 1)


def test_rescue_opens_what_it_wrote(tmp_path: Path, sealed: Path, key: Path, out: Path) -> None:
    assert rescue([str(sealed), "--key-file", str(key), "-o", str(out)]) == 0
    assert out.read_bytes() == CONTENT


def test_an_object_of_the_vault_opens_with_its_entry(tmp_path: Path, out: Path) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    key = tmp_path / "entry"
    key.write_text(json.dumps(entry.as_dict()))
    assert run("decrypt", path, "-o", out, "-k", key) == 0
    assert out.read_bytes() == CONTENT


def test_an_entry_opens_its_own_object_only(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, entry, dek = make(tmp_path / "bucket", CONTENT)
    other = tmp_path / "other"
    context = Context(entry.file_id, UUID(int=5), entry.context.created_at)
    other.write_bytes(b"".join(encrypt(dek, context, [CONTENT])))
    key = tmp_path / "entry"
    key.write_text(json.dumps(entry.as_dict()))
    assert run("decrypt", other, "-o", out, "-k", key) == 4
    assert capsys.readouterr().err.startswith("Damaged: ")
    assert not out.exists()


def test_an_entry_encrypts_nothing(
    tmp_path: Path, plain: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "entry"
    key.write_text(json.dumps(make(tmp_path / "bucket", b"x")[1].as_dict()))
    assert run("encrypt", plain, "-o", out, "-k", key) == 1
    assert "make-key" in capsys.readouterr().err


def test_a_held_entry_is_for_rescue(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_key = "A" * 43 + "="
    path, entry, _ = make(tmp_path / "bucket", b"x", user_key=user_key)
    key = tmp_path / "entry"
    key.write_text(json.dumps(entry.as_dict()))
    assert run("decrypt", path, "-o", out, "-k", key) == 1
    assert "files.crypto.rescue" in capsys.readouterr().err


# --- Passphrases -------------------------------------------------------------------------------


def test_a_passphrase_opens_what_it_encrypted(
    tmp_path: Path, plain: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, sealed = tmp_path / "words", tmp_path / "sealed"
    words.write_text(f"  {PASSPHRASE}\n")
    assert run("encrypt", plain, "-o", sealed, "--passphrase-file", words) == 0
    words.write_text(f"{PASSPHRASE}!")
    assert run("decrypt", sealed, "-o", out, "--passphrase-file", words) == 3
    assert capsys.readouterr().err.startswith(f"Wrong passphrase: {sealed} ")
    assert not out.exists()
    words.write_text(PASSPHRASE)
    assert run("decrypt", sealed, "-o", out, "--passphrase-file", words) == 0
    assert out.read_bytes() == CONTENT


def test_a_weak_passphrase_encrypts_nothing(
    tmp_path: Path, plain: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words"
    words.write_text("password")
    assert run("encrypt", plain, "-o", out, "--passphrase-file", words) == 1
    assert "too easy to guess" in capsys.readouterr().err
    assert not out.exists()


def test_without_a_terminal_nobody_is_asked(
    plain: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run("encrypt", plain, "-o", out, "--passphrase") == 1
    assert "--passphrase-file FILE" in capsys.readouterr().err


# --- Pipes -------------------------------------------------------------------------------------


def test_it_works_in_pipes_and_the_key_may_come_from_one(key: Path, plain: Path) -> None:
    sealed = program("encrypt", "-k", key, input=CONTENT)
    assert (sealed.returncode, sealed.stderr) == (0, b"")
    opened = program("decrypt", "-k", key, input=sealed.stdout)
    assert (opened.returncode, opened.stderr) == (0, b"")
    assert opened.stdout == CONTENT
    by_line = program("encrypt", plain, "-k", "-", input=key.read_bytes())
    assert by_line.returncode == 0
    opened = program("decrypt", "-k", key, input=by_line.stdout)
    assert opened.stdout == CONTENT


def test_standard_input_is_either_the_file_or_the_secret(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("encrypt", "-o", out, "-k", "-") == 2
    assert "cannot give both" in capsys.readouterr().err


def test_a_reader_that_leaves_is_told(plain: Path, key: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "files.crypto", "encrypt", plain, "-k", key],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"Standard output: Broken pipe.\n")


def test_a_terminal_gets_no_file_unless_asked_for(plain: Path, key: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "files.crypto"]
    for arguments, words in (
        (["encrypt", plain, "-k", key], b"Say where to: -o FILE, or -o - "),
        (["encrypt", "-o", plain.with_name("out"), "-k", key], b"Say what to encrypt"),
    ):
        ended = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert ended.returncode == 2
        assert ended.stderr.startswith(words)
    os.close(ours)
    os.close(theirs)


# --- What it refuses ---------------------------------------------------------------------------


def test_a_wrong_key(
    tmp_path: Path, sealed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    run("make-key", other)
    capsys.readouterr()
    assert run("decrypt", sealed, "-o", out, "-k", other) == 3
    said = capsys.readouterr().err
    assert said.startswith(f"Wrong key: {sealed} was encrypted with another one")
    assert said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("text", ["", "short", "g" * 64, "A" * 44])
def test_what_is_no_key(
    tmp_path: Path, plain: Path, out: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    assert run("encrypt", plain, "-o", out, "-k", key) == (3 if text else 1)
    said = capsys.readouterr().err
    assert said.startswith("Wrong key: " if text else "Key of the file: ")
    assert not text or text not in said
    assert not out.exists()


def _flip(position: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = position % len(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change


CHANGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "first frame": (_flip(2000), "Damaged"),
    "second frame": (_flip(FRAME_LENGTH + 2000), "Damaged"),
    "last frame": (_flip(-TRAILER_LENGTH - 1), "Damaged"),
    "commitment": (_flip(-1), "Damaged"),
    "frames swapped": (
        lambda d: d[FRAME_LENGTH : 2 * FRAME_LENGTH] + d[:FRAME_LENGTH] + d[2 * FRAME_LENGTH :],
        "Damaged",
    ),
    "empty": (lambda d: b"", "Truncated"),
    "a byte short": (lambda d: d[:-1], "Truncated"),
    "no trailer": (lambda d: d[:-TRAILER_LENGTH], "Truncated"),
    "a frame only": (lambda d: d[:FRAME_LENGTH], "Truncated"),
    "a few bytes": (lambda d: d[:40], "Truncated"),
    "last frame dropped": (
        lambda d: d[: 2 * FRAME_LENGTH] + d[-TRAILER_LENGTH:],
        "Truncated",
    ),
    "a byte more": (lambda d: d + b"\n", "Lengthened"),
    "a second trailer": (lambda d: d + d[-TRAILER_LENGTH:], "Lengthened"),
    "twice": (lambda d: d + d, "Lengthened"),
    "much more": (lambda d: d + bytes(FRAME_LENGTH), "Lengthened"),
    "another file": (lambda d: CONTENT, "Not an encrypted file"),
    "text": (lambda d: b"<html>", "Not an encrypted file"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_file(
    sealed: Path, key: Path, out: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, kind = CHANGES[what]
    sealed.write_bytes(change(sealed.read_bytes()))
    before = set(sealed.parent.iterdir())
    capsys.readouterr()
    assert run("decrypt", sealed, "-o", out, "-k", key) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"{kind}: {sealed}: ")
    assert said.count("\n") == 1
    assert "Nothing was written." in said
    assert set(sealed.parent.iterdir()) == before


def test_a_lengthened_file_under_a_wrong_key(
    tmp_path: Path, sealed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed.write_bytes(sealed.read_bytes() + b"\n")
    other = tmp_path / "other"
    run("make-key", other)
    assert run("decrypt", sealed, "-o", out, "-k", other) == 3


def test_a_context_that_was_altered_is_no_right_key(sealed: Path, key: Path, out: Path) -> None:
    data = _flip(-TRAILER_LENGTH + CONTEXT_LENGTH - 9)(sealed.read_bytes())
    sealed.write_bytes(data)
    assert run("decrypt", sealed, "-o", out, "-k", key) == 3


def test_on_standard_output_only_what_authenticated(sealed: Path, key: Path) -> None:
    data = sealed.read_bytes()
    sealed.write_bytes(_flip(FRAME_LENGTH + 2000)(data))
    ended = program("decrypt", sealed, "-k", key)
    assert ended.returncode == 4
    assert CONTENT.startswith(ended.stdout)
    assert b"discard it" in ended.stderr
    # That it was cut shows before anything is released.
    sealed.write_bytes(data[: 2 * FRAME_LENGTH] + data[-TRAILER_LENGTH:])
    ended = program("decrypt", sealed, "-k", key)
    assert (ended.returncode, ended.stdout) == (4, b"")


# --- Files -------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unless_asked_for(
    sealed: Path, key: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.write_text("precious")
    capsys.readouterr()
    assert run("decrypt", sealed, "-o", out, "-k", key) == 1
    assert capsys.readouterr().err == f"{out} exists already: --force replaces it.\n"
    assert out.read_text() == "precious"
    assert run("decrypt", sealed, "-o", out, "-k", key, "--force") == 0
    assert out.read_bytes() == CONTENT


def test_a_failure_leaves_what_was_to_be_replaced(sealed: Path, key: Path, out: Path) -> None:
    out.write_text("precious")
    sealed.write_bytes(_flip(2000)(sealed.read_bytes()))
    assert run("decrypt", sealed, "-o", out, "-k", key, "--force") == 4
    assert out.read_text() == "precious"


def test_a_file_may_replace_itself(plain: Path, key: Path) -> None:
    assert run("encrypt", plain, "-o", plain, "-k", key, "--force") == 0
    assert run("decrypt", plain, "-o", plain, "-k", key, "--force") == 0
    assert plain.read_bytes() == CONTENT


def test_a_device_is_never_replaced(
    plain: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run("encrypt", plain, "-o", pipe, "-k", key, "--force") == 1
    assert "not a regular file" in capsys.readouterr().err
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["encrypt", "missing", "-o", "out", "-k", "key"], "missing: No such file or directory."),
        (["encrypt", ".", "-o", "out", "-k", "key"], ".: Is a directory."),
        (["encrypt", "plain", "-o", "no/out", "-k", "key"], "There is no folder no: make it"),
        (["encrypt", "plain", "-o", "out", "-k", "none"], "Key of the file: none cannot be read"),
        (["make-key", "no/key"], "There is no folder no: make it first."),
    ],
)
def test_files_that_are_not_there(
    arguments: list[str],
    words: str,
    plain: Path,
    key: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(plain.parent)
    capsys.readouterr()
    assert run(*arguments) == 1
    assert capsys.readouterr().err.startswith(words)
    assert {path.name for path in plain.parent.iterdir()} == {"plain", "key"}


@pytest.mark.parametrize(
    "arguments",
    [[], ["encrypt", "plain"], ["decrypt", "a", "-k", "k", "-p"], ["encrypt", "a", "--key", "k"]],
)
def test_a_wrong_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Programs hear SIGINT, though whoever started the tests may have had it ignored (`&`)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stopped_by(process: subprocess.Popen[bytes], number: int) -> int:
    """Send the signal until it is heard: one right before Python waits is only heard after."""
    for _ in range(30):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=2)
    process.kill()
    raise AssertionError("it does not stop")


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["encrypt", "decrypt"])
def test_a_signal_leaves_nothing(tmp_path: Path, key: Path, number: int, command: str) -> None:
    # It waits for the rest of its input, which never comes.
    process = subprocess.Popen(
        [sys.executable, "-m", "files.crypto", command, "-o", tmp_path / "out", "-k", key],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    # More than a pipe holds: when it is gone, the program is at work.
    process.stdin.write(os.urandom(8 * FRAME_PAYLOAD))
    process.stdin.flush()
    code = stopped_by(process, number)
    said = process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    if number == signal.SIGINT:
        assert (code, said) == (130, b"Stopped. No incomplete file was left.\n")
    else:
        assert (code, said) == (143, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


MEASURED = """
import sys
from files.crypto.__main__ import main
code = main(sys.argv[1:])
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.mark.integration
def test_memory_does_not_grow_with_the_file(tmp_path: Path, key: Path) -> None:
    def peak(*arguments: object) -> int:
        command = [sys.executable, "-c", MEASURED, *map(str, arguments), "-k", str(key), "-f"]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        return int(ended.stdout)

    plain, sealed, out = tmp_path / "zero", tmp_path / "sealed", tmp_path / "out"
    peaks = []
    for size in (16 << 20, 96 << 20):
        with plain.open("wb") as file:
            file.truncate(size)
        there = peak("encrypt", plain, "-o", sealed)
        peaks.append((there, peak("decrypt", sealed, "-o", out)))
    assert out.stat().st_size == 96 << 20
    for smaller, larger in zip(*peaks, strict=True):
        assert larger - smaller < 2048, peaks
        # KiB: Python and its libraries, and two buffers of 2 MiB for each thread.
        assert larger < (34 + 4 * thread_count()) * 1024, peaks
