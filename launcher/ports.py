"""TCP ports: is one free, which one is.

Only ever asks about this machine; a port is tried by binding it, never by connecting to another's.
"""

import errno
import secrets
import socket

# Below the range from which the kernel takes ports for outgoing connections (32768 on Linux), so
# that a port written into `.env` is still free on the next start.
LOWEST, HIGHEST = 20_000, 32_000

LOOPBACK = "127.0.0.1"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises `OSError` when the host itself is the trouble: unknown, or not of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: the remains of closed connections do not make a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port() -> int:
    """A port on loopback that is free now, and that no other call is given for the next minute.

    Nor one in another process: between the drawing of a port and the start of its server, sites
    that start at once would else now and then meet.
    """
    while True:
        # Not `random`: tests seed it, and every process of a parallel run would draw the same.
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if _reserve(port):
            return port


def _reserve(port: int) -> bool:
    """Take a port and leave the remains of a closed connection on it, as a sign for other calls.

    They keep it (TIME_WAIT, a minute on Linux) from whoever binds without SO_REUSEADDR, as is done
    here first, and not from servers, which all set it.
    """
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        # For the remains to be no hindrance, the connection must have had it as well.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.listen(1)
        with socket.create_connection((LOOPBACK, port), timeout=5):
            # The first to close is the one that remains.
            probe.accept()[0].close()
    return True
