"""What is refused before anything starts, each in one line that says what to do."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import preflight
from launcher.errors import LaunchError
from launcher.ports import LOOPBACK


def test_a_busy_port_names_another() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            LaunchError, match=f"^Port {port} .* is busy: .*PORT={port + 1}"
        ) as busy:
            preflight.require_port(LOOPBACK, port)
    assert "\n" not in str(busy.value)


def test_a_busy_store_port_names_the_setting() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LaunchError, match="S3_ENDPOINT_URL"):
            preflight.require_store_port(port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(LaunchError, match=r"^Cannot listen on 192\.0\.2\.1"):
        preflight.require_port("192.0.2.1", 8000)


def test_the_data_folder_is_closed_to_others(tmp_path: Path) -> None:
    os.close(preflight.claim(tmp_path / "var"))
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_a_second_launcher_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    lock = preflight.claim(tmp_path)
    with pytest.raises(LaunchError, match=rf"already runs .*process {os.getpid()}\)"):
        preflight.claim(tmp_path)
    os.close(lock)
    os.close(preflight.claim(tmp_path))


def test_the_lock_lasts_as_long_as_a_process_that_inherited_it(tmp_path: Path) -> None:
    lock = preflight.claim(tmp_path)
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, pass_fds=[lock]) as heir:
        os.close(lock)
        with pytest.raises(LaunchError, match="still stopping"):
            preflight.claim(tmp_path)
        heir.communicate()
    os.close(preflight.claim(tmp_path))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert preflight.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "vault.example.org"])
def test_not_loopback(host: str) -> None:
    assert not preflight.is_loopback(host)


def test_the_site_answers_to_the_host_it_is_given() -> None:
    configured = ["localhost", "127.0.0.1"]
    assert preflight.allowed_hosts(configured, "192.0.2.7") == [*configured, "192.0.2.7"]
    assert preflight.allowed_hosts(configured, "127.0.0.1") == configured
    assert preflight.allowed_hosts(configured, "2001:db8::1") == [*configured, "[2001:db8::1]"]


def test_on_every_address_it_answers_to_the_names_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preflight, "_names_of_this_machine", lambda: ["vault", "192.0.2.7"])
    assert preflight.allowed_hosts(["localhost"], "0.0.0.0") == ["localhost", "vault", "192.0.2.7"]
