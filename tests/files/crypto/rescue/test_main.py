"""The command line of rescue: what it restores, what it says, how it exits, what it leaves."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from files.crypto.fernetkey import generate_master_key
from files.crypto.keyexport.entries import Entry
from files.crypto.keyexport.writing import Protector, write_export
from files.crypto.passphrase import Derivation
from files.crypto.rescue.__main__ import main
from files.crypto.rescue.names import safe_name
from files.crypto.shares import split
from files.crypto.stream.layout import FRAME_LENGTH, FRAME_PAYLOAD
from tests.files.crypto.rescue.exports import PASSPHRASE, export, make

ROOT = Path(__file__).parents[4]
CONTENT = b"The quick brown fox. " * 20_000


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "restored"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_an_object_and_its_export_become_the_file(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", make(tmp_path / "bucket", b"other")[1], entry)
    assert run(path, "--export", keys, "--passphrase-file", passphrase, "--to", out) == 0
    assert (out / "fox.txt").read_bytes() == CONTENT
    assert capsys.readouterr().out == f"RESTORED: {out}/fox.txt ({len(CONTENT)} bytes)\n"


@pytest.mark.parametrize("word", ["file", "stream", "object", "name"])
def test_an_entry_is_found_by_any_of_its_names(
    tmp_path: Path, out: Path, passphrase: str, word: str
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    moved = path.rename(tmp_path / "moved")
    keys = export(tmp_path / "keys", make(tmp_path / "bucket", b"other", name="b")[1], entry)
    arguments = ("--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(moved, *arguments, "--entry", entry.as_dict()[word]) == 0
    assert (out / "fox.txt").read_bytes() == CONTENT


def test_a_name_that_several_have_is_asked_about(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, first, _ = make(tmp_path / "bucket", CONTENT)
    second = make(tmp_path / "bucket", CONTENT)[1]
    keys = export(tmp_path / "keys", first, second)
    arguments = ("--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(path, *arguments, "--entry", "fox.txt") == 6
    said = capsys.readouterr().err
    assert str(first.file_id) in said
    assert str(second.file_id) in said


@pytest.mark.parametrize("form", ["hex", "base64", "entry"])
def test_a_key_file_may_hold_the_key_or_the_entry(
    tmp_path: Path, out: Path, passphrase: str, form: str
) -> None:
    path, entry, dek = make(tmp_path / "bucket", CONTENT)
    key = tmp_path / "key"
    if form == "entry":
        keys = export(tmp_path / "keys", entry)
        arguments = ("--export", keys, "--passphrase-file", passphrase, "--entry", entry.file_id)
        assert run("--write-entry", key, *arguments) == 0
        assert key.stat().st_mode & 0o777 == 0o600
    else:
        key.write_text(dek.hex() if form == "hex" else entry.as_dict()["key"])
    assert run(path, "--key-file", key, "-o", out) == 0
    assert out.read_bytes() == CONTENT


def test_the_key_may_come_from_standard_input(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, dek = make(tmp_path / "bucket", CONTENT)
    monkeypatch.setattr(sys, "stdin", io.StringIO(dek.hex() + "\n"))
    assert run(path, "--key-file", "-", "-o", out) == 0


def test_a_wrong_key_and_a_damaged_object_are_told_apart(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, dek = make(tmp_path / "bucket", CONTENT)
    key = tmp_path / "key"
    key.write_text(os.urandom(32).hex())
    assert run(path, "--key-file", key, "-o", out) == 3
    assert capsys.readouterr().out.startswith("WRONG KEY: ")
    key.write_text(dek.hex())
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    assert run(path, "--key-file", key, "-o", out) == 4
    assert capsys.readouterr().out.startswith("DAMAGED: ")
    assert not out.exists()
    assert {p.name for p in tmp_path.iterdir()} == {"bucket", "key"}


def test_parts_are_written_on_request_with_a_report(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, dek = make(tmp_path / "bucket", CONTENT)
    key = tmp_path / "key"
    key.write_text(dek.hex())
    data = bytearray(path.read_bytes())
    data[FRAME_LENGTH + 2000] ^= 1
    path.write_bytes(data)
    assert run(path, "--key-file", key, "-o", out, "--partial") == 5
    assert out.read_bytes() == CONTENT[:FRAME_PAYLOAD]
    # The frame was the last one, so not even the size is known without an export.
    assert f"missing: byte {FRAME_PAYLOAD} and all after it" in capsys.readouterr().out


def test_parts_are_reported_as_json(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    path.write_bytes(path.read_bytes()[:FRAME_LENGTH])
    arguments = ("--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(path, *arguments, "--partial", "--json") == 5
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "partial"
    assert report["size"] == len(CONTENT)
    assert report["missing"] == [{"start": FRAME_PAYLOAD, "end": len(CONTENT)}]
    assert (out / "fox.txt").read_bytes() == CONTENT[:FRAME_PAYLOAD].ljust(len(CONTENT), b"\0")


def test_a_wrong_passphrase_is_a_wrong_key(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    wrong = tmp_path / "wrong"
    wrong.write_text("not the passphrase at all")
    assert run(path, "--export", keys, "--passphrase-file", wrong, "--to", out) == 3
    assert "this passphrase does not open the key export" in capsys.readouterr().err


def test_a_damaged_export_is_not_a_wrong_passphrase(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    whole = keys.read_bytes()
    for broken in (whole[:-1], whole[:300], whole[:100], b"", whole[:400] + b"x" + whole[401:]):
        keys.write_bytes(broken)
        assert run(path, "--export", keys, "--passphrase-file", passphrase, "--to", out) == 4
        assert "Traceback" not in capsys.readouterr().err


def test_an_export_may_be_under_a_key(tmp_path: Path, out: Path) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    text = generate_master_key()
    keys, key = tmp_path / "keys", tmp_path / "key"
    key.write_text(text)
    with keys.open("wb") as file:
        write_export(file, Protector.fernet_key(text), [entry])
    assert run(path, "--export", keys, "--export-key-file", key, "--to", out) == 0


def test_an_export_may_be_under_shares(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    secret = os.urandom(16)
    protector = Protector.shared(secret, 3, 5)
    keys, given = tmp_path / "keys", tmp_path / "shares"
    with keys.open("wb") as file:
        write_export(file, protector, [entry])
    made = [str(share) for share in split(secret, protector.header)]
    arguments = (path, "--export", keys, "--shares-file", given, "--to", out)
    given.write_text("\n".join(made[:2]))
    assert run(*arguments) == 3
    assert "3 different shares are needed, not 2" in capsys.readouterr().err
    given.write_text("\n".join([*made[:2], made[3].replace(made[3][-12], "_")]))
    assert run(*arguments) == 3
    given.write_text("\n".join([made[4].upper(), made[0], " " + made[2], made[1]]))
    assert run(*arguments) == 0
    # The program ssss prints the secret itself.
    given.write_text(secret.hex())
    assert run(*arguments[:-1], tmp_path / "again") == 0


def test_a_held_file_takes_its_owners_key_too(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    user_key = generate_master_key()
    path, entry, _ = make(tmp_path / "bucket", CONTENT, user_key=user_key)
    keys = export(tmp_path / "keys", entry)
    held = tmp_path / "held"
    arguments = (path, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(*arguments) == 1
    assert "--held-key-file" in capsys.readouterr().err
    held.write_text(generate_master_key())
    assert run(*arguments, "--held-key-file", held) == 3
    held.write_text(f"{generate_master_key()}\n{user_key}\n")
    assert run(*arguments, "--held-key-file", held) == 0
    assert (out / "fox.txt").read_bytes() == CONTENT


def test_a_held_file_may_take_a_passphrase(tmp_path: Path, out: Path, passphrase: str) -> None:
    derivation = Derivation(os.urandom(16), memory=32, passes=1, lanes=1)
    user_key = derivation.derive("my own secret words")
    path, entry, _ = make(
        tmp_path / "bucket", CONTENT, user_key=user_key, derivation=derivation.encode()
    )
    keys = export(tmp_path / "keys", entry)
    held = tmp_path / "held"
    arguments = (path, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    held.write_text("not my own secret words")
    assert run(*arguments, "--held-key-file", held) == 3
    held.write_text("  my own secret words\n")
    assert run(*arguments, "--held-key-file", held) == 0
    assert (out / "fox.txt").read_bytes() == CONTENT


def test_listing_shows_no_key(
    tmp_path: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, entry, dek = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    for option in ([], ["--json"]):
        assert run("--list", "--export", keys, "--passphrase-file", passphrase, *option) == 0
        shown = capsys.readouterr().out
        assert str(entry.file_id) in shown
        assert entry.as_dict()["key"] not in shown
        assert dek.hex() not in shown


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x"],
        ["x", "--to", "y", "-o", "z"],
        ["--all", "x", "--export", "k"],
        ["--list"],
        ["x", "--list", "--export", "k"],
        ["--write-entry", "x", "--export", "k"],
        ["x", "--export", "k", "--key-file", "k", "-o", "y"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_files_that_cannot_be_read_or_written_are_named(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _, dek = make(tmp_path / "bucket", CONTENT)
    key = tmp_path / "key"
    key.write_text(dek.hex())
    assert run(tmp_path / "none", "--key-file", key, "-o", out) == 1
    assert run(path, "--key-file", tmp_path / "none", "-o", out) == 1
    assert run(path, "--key-file", key, "-o", tmp_path / "no" / "folder") == 1
    assert run(path, "--key-file", key, "-o", key) == 1
    said = capsys.readouterr().err
    assert said.count("No such file or directory") == 3
    assert "exists already" in said
    key.write_text("not a key")
    assert run(path, "--key-file", key, "-o", out) == 3
    assert "not a key" not in capsys.readouterr().err


# --- A folder ----------------------------------------------------------------------------------


def test_a_folder_is_restored_and_a_second_run_changes_nothing(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    contents = {f"file {n}.txt": os.urandom(n * 1000) for n in range(4)}
    entries = [make(bucket, content, name=name)[1] for name, content in contents.items()]
    told = "2019-05-01T10:30:00.5+00:00"
    twin = make(bucket, b"twin", name="FILE 1.txt", modified_at=told)[1]
    hostile = make(bucket, b"hostile", name="../../etc/passwd", modified_at="no time")[1]
    keys = export(tmp_path / "keys", *entries, twin, hostile)
    arguments = ("--all", bucket, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(*arguments) == 0
    for name, content in contents.items():
        assert (out / name).read_bytes() == content
    assert (out / f"FILE 1 ({twin.file_id.hex[:8]}).txt").read_bytes() == b"twin"
    assert (out / f"FILE 1 ({twin.file_id.hex[:8]}).txt").stat().st_mtime == 1_556_706_600.5
    assert (out / "_.._etc_passwd").read_bytes() == b"hostile"
    assert capsys.readouterr().err == "6 restored.\n"
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(*arguments) == 0
    assert capsys.readouterr().err == "6 already there.\n"
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_what_a_reencryption_left_behind_is_not_missed(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    entry = make(bucket, CONTENT, name="now")[1]
    make(bucket, CONTENT, file_id=entry.file_id, written_at=entry.context.created_at - 5)
    make(bucket, CONTENT, file_id=entry.file_id, written_at=entry.context.created_at)
    keys = export(tmp_path / "keys", entry)
    arguments = ("--all", bucket, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(*arguments, "--json") == 0
    printed = capsys.readouterr()
    assert printed.err == "1 restored, 2 superseded.\n"
    assert [json.loads(line)["status"] for line in printed.out.splitlines()][1:] == [
        "superseded",
        "superseded",
    ]
    assert run(*arguments) == 0
    assert capsys.readouterr().err == "1 already there, 2 superseded.\n"


def test_another_encryption_is_missed_when_the_file_is_not_there_or_older(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    path, damaged, _ = make(bucket, CONTENT, name="damaged")
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    make(bucket, CONTENT, file_id=damaged.file_id, written_at=1)
    old = make(bucket, CONTENT, name="old")[1]
    make(bucket, CONTENT, file_id=old.file_id, written_at=old.context.created_at + 1)
    keys = export(tmp_path / "keys", damaged, old)
    arguments = ("--all", bucket, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(*arguments) == 4
    assert capsys.readouterr().err == "1 restored, 1 damaged, 2 no key.\n"


def test_a_folder_with_everything_wrong_restores_what_is_right(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    good = make(bucket, CONTENT, name="good")[1]
    path, damaged, _ = make(bucket, CONTENT, name="damaged")
    path.write_bytes(path.read_bytes()[:-1])
    path, gone, _ = make(bucket, CONTENT, name="gone")
    path.unlink()
    held = make(bucket, CONTENT, name="held", user_key=generate_master_key())[1]
    make(bucket, CONTENT, name="not in the export")
    (bucket / "README").write_text("no object")
    keys = export(tmp_path / "keys", good, damaged, gone, held)
    arguments = ("--all", bucket, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    assert run(*arguments, "--json") == 4
    printed = capsys.readouterr()
    assert printed.err == "1 restored, 1 damaged, 3 no key, 1 no object.\n"
    assert len([json.loads(line) for line in printed.out.splitlines()]) == 6
    assert {p.name for p in out.iterdir()} == {"good", "rescued.jsonl"}
    assert run(*arguments, "--partial") == 5
    assert (out / "damaged").read_bytes() == CONTENT


def first_in(entries: list[Entry], frame: int) -> int:
    """The number of the first entry that begins in a frame of the export."""
    at = 0
    for number, entry in enumerate(entries):
        if at >= frame * FRAME_PAYLOAD:
            return number
        line = json.dumps(entry.as_dict(), ensure_ascii=False, separators=(",", ":"))
        at += len(line.encode()) + 1
    raise ValueError("there is no such frame")


def test_a_cut_export_gives_what_came_before_the_cut(
    tmp_path: Path, out: Path, passphrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = tmp_path / "bucket"
    # Owners of names so long that few files fill two frames of an export.
    long = "n" * 2000
    entries = [make(bucket, b"x" * n, name=f"{n:03}n", owner=long)[1] for n in range(200)]
    keys = export(tmp_path / "keys", *entries)
    whole = keys.read_bytes()
    at = len(whole) - 500
    keys.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    arguments = ("--all", bucket, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    # The last frame says how long the export is, so nothing can be read without it.
    assert run(*arguments) == 4
    assert "--all FOLDER --partial" in capsys.readouterr().err
    keys.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    assert run(*arguments) == 4
    assert len(list(out.iterdir())) == 1
    # With --partial, all entries that lie in whole frames are there.
    assert run(*arguments, "--partial") == 4
    assert {int(path.name[:3]) for path in out.glob("*n")} == set(range(first_in(entries, 1), 200))
    keys.write_bytes(whole[: len(whole) - 1000])
    assert run(*arguments, "--partial") == 4
    assert {int(path.name[:3]) for path in out.glob("*n")} >= set(range(first_in(entries, 1) - 1))
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b\\c", "a_b_c"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("con.txt", "_con.txt"),
        ("a\0b\nc", "a_b_c"),
        ("evil\u202etxt.exe", "evil_txt.exe"),
        ("x" * 300 + ".txt", "x" * 196 + ".txt"),
        ("ä" * 200, "ä" * 100),
        (".hidden", "hidden"),
        ("größe, 日本.pdf", "größe, 日本.pdf"),
    ],
)
def test_names_are_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


# --- Alone -------------------------------------------------------------------------------------

ALONE = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is forbidden here", name=name)
ALLOWED = {"files", "cryptography", "cffi", "_cffi_backend"}
sys.meta_path.insert(0, Forbidden())
sys.argv[0] = "rescue"
import runpy
runpy.run_module("files.crypto.rescue", run_name="__main__", alter_sys=True)
"""


def alone(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)],
        cwd=ROOT,
        env={"PATH": os.defpath},
        capture_output=True,
        timeout=60,
        check=False,
        **options,
    )


def test_it_runs_with_nothing_but_cryptography(tmp_path: Path, out: Path, passphrase: str) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    arguments = (path, "--export", keys, "--passphrase-file", passphrase, "--to", out)
    result = alone(*arguments)
    assert (result.returncode, result.stderr) == (0, b"")
    assert (out / "fox.txt").read_bytes() == CONTENT


def test_without_a_terminal_it_says_where_a_secret_may_come_from(tmp_path: Path, out: Path) -> None:
    path, entry, _ = make(tmp_path / "bucket", CONTENT)
    keys = export(tmp_path / "keys", entry)
    result = alone(path, "--export", keys, "--to", out, stdin=subprocess.DEVNULL)
    assert result.returncode == 1
    assert b"--passphrase-file FILE" in result.stderr


@pytest.mark.integration
def test_memory_does_not_grow_with_the_object(tmp_path: Path, out: Path) -> None:
    big, _, dek = make(tmp_path / "bucket", bytes(64 << 20))
    small, _, other = make(tmp_path / "bucket", b"")
    peaks: list[int] = []
    for path, key in ((small, other), (big, dek)):
        source = (
            "import resource, sys\nfrom files.crypto.rescue.__main__ import main\n"
            "code = main(sys.argv[1:])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\nsys.exit(code)"
        )
        result = subprocess.run(
            [sys.executable, "-c", source, path, "--key-file", "-", "-o", f"{out}{len(peaks)}"],
            cwd=ROOT,
            input=key.hex().encode(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        peaks.append(int(result.stdout.split()[-1]))
    assert peaks[1] - peaks[0] < 8 << 10
