"""What must hold before anything is started: one launcher per folder, free ports, a known host.

Every refusal is a `LaunchError` that says what to do. Nothing here starts or changes anything
but the data folder and its lock.
"""

import contextlib
import fcntl
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, is_free

UNSPECIFIED = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to.


def claim(data: Path) -> int:
    """Make the data folder (mode 0700) and lock it; return the lock's descriptor.

    The lock lasts until every process that inherited the descriptor has ended: the store inherits
    it, so that no second store ever writes to the same data. Raises `LaunchError` when taken.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data / "launcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise LaunchError(
            f"Securestore already runs from this folder (process {owner or 'unknown'}), or is "
            "still stopping: stop it first, with Ctrl-C where it runs."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
    return descriptor


def require_port(host: str, port: int) -> None:
    """Raise `LaunchError` unless the site can listen on that host and port."""
    try:
        free = is_free(host, port)
    except PermissionError:
        raise LaunchError(
            f"This account may not listen on port {port}: run `make run PORT={port + 8000}`."
        ) from None
    except OSError as error:
        raise LaunchError(
            f"Cannot listen on {host} ({error.strerror}): give an address of this machine, as in "
            f"`make run HOST={LOOPBACK}`."
        ) from None
    if not free:
        raise LaunchError(
            f"Port {port} on {host} is busy: stop what uses it, or run `make run PORT={port + 1}`."
        )


def require_store_port(port: int) -> None:
    """Raise `LaunchError` unless the embedded store can have the port that `.env` gives it."""
    if not is_free(LOOPBACK, port):
        raise LaunchError(
            f"Port {port} of the embedded store is busy: stop what uses it, or change the port in "
            "S3_ENDPOINT_URL in .env."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(configured: Sequence[str], host: str) -> list[str]:
    """The names by which the site may be asked for when it listens on `host`."""
    names = [host] if host not in UNSPECIFIED else _names_of_this_machine()
    bracketed = (f"[{name}]" if ":" in name else name for name in names)
    return list(dict.fromkeys([*configured, *bracketed]))


def _names_of_this_machine() -> list[str]:
    names = [socket.gethostname()]
    # A machine that does not know its own name still has addresses.
    with contextlib.suppress(OSError):
        names += socket.gethostbyname_ex(names[0])[2]
    # Without a network there is no other address.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Connecting a datagram socket sends nothing; it asks for the route, and so for the
        # address that others see. 192.0.2.0/24 is nobody's (RFC 5737).
        probe.connect(("192.0.2.1", 9))
        names.append(probe.getsockname()[0])
    return names
