"""The web server: how Granian is run, and whether the site answers.

WSGI only, HTTP/1 only. The site reads its secrets from `.env` itself, and again whenever the
master keys change there: they must never be in the environment that it is given here.
"""

import http.client
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.preflight import is_loopback

# A transfer holds a thread for as long as its client takes, and so does a form that comes slowly.
# The site leaves some of them to pages; they cost next to nothing while nobody needs them.
THREADS = 256
# Granian counts open connections here, idle ones included, not requests.
BACKPRESSURE = 4096
# Descriptors that are left for what are no connections of clients: the store's, files.
SPARE = 256
# Seconds that running transfers get at a stop; without a limit a stalled one holds it up for ever.
WORKER_GRACE = 10

# What listens on every address is reached, from here, on loopback.
NEAREST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to.


@dataclass(frozen=True)
class Site:
    """The site on one host and port, answering to the names in `allowed_hosts`."""

    host: str
    port: int
    allowed_hosts: Sequence[str]

    name = "The web server"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = NEAREST.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def command(self) -> list[str]:
        options = {
            "interface": "wsgi",
            "host": self.host,
            "port": self.port,
            "http": 1,
            "workers": 1,
            "backpressure": connections(),
            "workers-kill-timeout": WORKER_GRACE,
            # Below "error": that it starts and stops, and that threads outnumber the cores.
            "log-level": "error",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "granian", "--no-ws", *flags, "securestore.wsgi:application"]

    def environment(self) -> dict[str, str]:
        env = {**os.environ, "ALLOWED_HOSTS": ",".join(self.allowed_hosts)}
        env.pop("DJANGO_SUPERUSER_PASSWORD", None)
        # Read by the web server, and by the site, which must know how many it has.
        env.setdefault("GRANIAN_BLOCKING_THREADS", str(THREADS))
        # glibc would keep the large buffers of transfers, for it raises this with each one freed.
        env.setdefault("MALLOC_MMAP_THRESHOLD_", str(1024 * 1024))
        env.setdefault("MALLOC_TRIM_THRESHOLD_", str(4 * 1024 * 1024))
        if not is_loopback(self.host):
            # Asked for by name, and warned of: the site would refuse it by itself.
            env["ACCEPT_PLAIN_HTTP"] = "true"
        return env

    def is_ready(self) -> bool:
        """Whether `/healthz` says that the process is alive."""
        host = NEAREST.get(self.host, self.host)
        connection = http.client.HTTPConnection(host, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def connections() -> int:
    """How many clients may be connected at once: no more than there are descriptors for.

    The limit is raised as far as it may be, for this process and for what it starts.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return max(min(BACKPRESSURE, most - SPARE), SPARE) if most > 0 else BACKPRESSURE
