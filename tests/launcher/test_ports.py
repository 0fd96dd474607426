"""Free and busy ports."""

import socket

import pytest

from launcher.ports import HIGHEST, LOOPBACK, LOWEST, free_port, is_free


def test_a_port_with_a_listener_is_busy() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert not is_free(LOOPBACK, server.getsockname()[1])


def test_a_port_is_free_again_after_its_listener() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    assert is_free(LOOPBACK, port)


def test_an_address_of_another_machine_is_not_ours_to_ask() -> None:
    with pytest.raises(OSError, match="assign"):
        is_free("192.0.2.1", 8000)


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert LOWEST <= free_port() < HIGHEST <= 32_768


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody has opened it yet; also by another process, which knows only the kernel."""
    given = free_port()
    draws = iter([given, given, *range(LOWEST, HIGHEST)])
    monkeypatch.setattr("launcher.ports.secrets.randbelow", lambda _: next(draws) - LOWEST)
    assert free_port() != given


def test_a_server_may_open_a_port_that_was_given() -> None:
    port = free_port()
    assert is_free(LOOPBACK, port)
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(LOOPBACK, port)
