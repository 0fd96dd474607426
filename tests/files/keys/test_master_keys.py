"""The keyring of a running process: it follows its file, and never loses the keys that it has."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from files.crypto.fernetkey import generate_master_key
from files.crypto.masterkey import LocalMasterKey
from files.keys.master_keys import WatchedKeyring, keyring, read_keyring

FIRST, SECOND = generate_master_key(), generate_master_key()
FIRST_ID, SECOND_ID = LocalMasterKey(FIRST).id, LocalMasterKey(SECOND).id


def write(path: Path, text: str | bytes, mode: int = 0o600) -> None:
    """Replace the file as an editor does, with a time of change of its own."""
    new = path.with_name("new")
    new.write_bytes(text.encode() if isinstance(text, str) else text)
    new.chmod(mode)
    os.utime(new, ns=(0, write.tick))  # type: ignore[attr-defined]
    write.tick += 1_000_000_000  # type: ignore[attr-defined]
    new.replace(path)


write.tick = 1_700_000_000_000_000_000  # type: ignore[attr-defined]


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `.env` with the first key, and nothing of it in the environment."""
    path = tmp_path / "env"
    write(path, f"MASTER_KEYS={FIRST}\n")
    monkeypatch.setenv("SECURESTORE_ENV_FILE", str(path))
    monkeypatch.delenv("MASTER_KEYS", raising=False)
    return path


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that MASTER_KEYS_FILE names, with the first key."""
    path = tmp_path / "keys"
    write(path, FIRST)
    monkeypatch.delenv("MASTER_KEYS", raising=False)
    monkeypatch.setenv("MASTER_KEYS_FILE", str(path))
    return path


def test_the_process_has_one_keyring() -> None:
    assert keyring() is keyring()


def test_a_key_added_to_the_environment_file_is_noticed(env_file: Path) -> None:
    watched = WatchedKeyring()
    assert watched.get().ids == (FIRST_ID,)
    write(env_file, f"MASTER_KEYS={SECOND},{FIRST}\n")
    assert watched.get().ids == (SECOND_ID, FIRST_ID)
    write(env_file, f"MASTER_KEYS={SECOND}\n")
    assert watched.get().ids == (SECOND_ID,)


def test_a_key_added_to_the_key_file_is_noticed(key_file: Path) -> None:
    watched = WatchedKeyring()
    assert watched.get().ids == (FIRST_ID,)
    write(key_file, f"{SECOND}\n{FIRST}\n")
    assert watched.get().ids == (SECOND_ID, FIRST_ID)


def test_an_unchanged_file_is_not_read_again(env_file: Path) -> None:
    watched = WatchedKeyring()
    assert watched.get() is watched.get()


def test_keys_of_the_environment_itself_stay(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_KEYS", FIRST)
    watched = WatchedKeyring()
    watched.get()
    write(env_file, f"MASTER_KEYS={SECOND}\n")
    assert watched.get().ids == (FIRST_ID,)


BROKEN: dict[str, str | bytes] = {
    "empty": "",
    "no key": "MASTER_KEYS=\n",
    "other": "SECRET_KEY=abc\n",
    "half a key": f"MASTER_KEYS={SECOND},{FIRST[:20]}\n",
    "twice": f"MASTER_KEYS={FIRST},{FIRST}\n",
    "second line": f"MASTER_KEYS={SECOND},\n{FIRST}\n",
    "second line, spaced": f"MASTER_KEYS=\n  {SECOND} {FIRST}\n",
    "not text": b"MASTER_KEYS=\xff\xfe\x00" + SECOND.encode(),
    "unclosed quote": f'MASTER_KEYS="{SECOND}\n',
    "a reference": "MASTER_KEYS=$NOT_THERE\n",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_breaks_later_keeps_the_old_keys_and_no_key_is_logged(
    env_file: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    watched = WatchedKeyring()
    watched.get()
    with caplog.at_level(logging.DEBUG):
        write(env_file, BROKEN[broken])
        assert watched.get().ids == (FIRST_ID,)
        assert watched.get().ids == (FIRST_ID,)
    assert "the changed master keys are not used" in caplog.text
    for key in (FIRST, SECOND):
        assert key[:12] not in caplog.text
        assert key[-12:] not in caplog.text
    write(env_file, f"MASTER_KEYS={SECOND},{FIRST}\n")
    assert watched.get().ids == (SECOND_ID, FIRST_ID)


@pytest.mark.parametrize("broken", ["", "half", b"\xff\xfe"])
def test_a_key_file_that_breaks_later_keeps_the_old_keys(
    key_file: Path, broken: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    watched = WatchedKeyring()
    watched.get()
    write(key_file, broken)
    assert watched.get().ids == (FIRST_ID,)
    assert "the changed master keys are not used" in caplog.text


@pytest.mark.parametrize("which", ["env_file", "key_file"])
def test_a_file_that_vanishes_keeps_the_old_keys(
    request: pytest.FixtureRequest, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    path: Path = request.getfixturevalue(which)
    watched = WatchedKeyring()
    watched.get()
    path.unlink()
    assert watched.get().ids == (FIRST_ID,)
    assert "the changed master keys are not used" in caplog.text
    write(path, f"MASTER_KEYS={SECOND}" if which == "env_file" else SECOND)
    assert watched.get().ids == (SECOND_ID,)


def test_a_file_that_others_may_read_is_not_used(
    env_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = WatchedKeyring()
    watched.get()
    write(env_file, f"MASTER_KEYS={SECOND}\n", mode=0o644)
    assert watched.get().ids == (FIRST_ID,)
    assert "chmod 600" in caplog.text


def test_a_key_file_that_others_may_read_is_not_used(
    key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = WatchedKeyring()
    watched.get()
    write(key_file, SECOND, mode=0o644)
    assert watched.get().ids == (FIRST_ID,)
    assert "chmod 600" in caplog.text
    with pytest.raises(ImproperlyConfigured, match="chmod 600"):
        read_keyring()


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_is_broken_at_start_is_refused_and_shows_no_key(
    env_file: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(env_file, BROKEN[broken])
    with pytest.raises(ImproperlyConfigured) as error, caplog.at_level(logging.DEBUG):
        read_keyring()
    for key in (FIRST, SECOND):
        assert key[:12] not in str(error.value) + caplog.text
    with pytest.raises(ImproperlyConfigured):
        WatchedKeyring().get()


def test_what_is_wrong_is_told_with_what_to_do(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_KEYS", f"{FIRST},nonsense")
    with pytest.raises(ImproperlyConfigured, match=r"number 2 of 2: .*generate_master_key"):
        read_keyring()


def test_threads_share_a_keyring_while_it_changes(env_file: Path) -> None:
    watched, failures, stop = WatchedKeyring(), [], threading.Event()

    def use() -> None:
        while not stop.is_set():
            try:
                assert FIRST_ID in watched.get()
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(10):
        write(env_file, f"MASTER_KEYS={SECOND},{FIRST}\n" if number % 2 else f"MASTER_KEYS={FIRST}")
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not failures
    assert watched.get().ids == (SECOND_ID, FIRST_ID)
