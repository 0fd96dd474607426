"""Which process holds what: a lease names it, so that others can tell when it is gone.

A lease is text for a row. Only a process on the same boot of the same machine, in the same
namespace of process ids, can be known to be dead; of any other a lease says nothing, and the time
when its holder was last heard of decides.
"""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path


@cache
def _host() -> str:
    """Names this boot of this machine, and the namespace in which its process ids mean something.

    Not the host's name: containers on the host's network share that, and not their processes.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()}/unknown"


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where no such process runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # proc(5): the name, field 2, may hold spaces and parentheses; 3 is the state, 22 the start.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def new_lease() -> str:
    """A lease of this process; no two are equal."""
    return f"{_host()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(8)}"


def is_dead(lease: str) -> bool:
    """Whether the lease's process is known to be gone: a killed one leaves its lease behind."""
    host, pid, started, _ = lease.rsplit("/", 3)
    if host != _host() or not started:
        return False
    return _started(int(pid)) != started


def parent() -> str:
    """Names the process that started this one, among all that ever run on this boot."""
    pid = os.getppid()
    return f"{pid}-{_started(pid)}"


def is_running(name: str) -> bool:
    """Whether the process of that name may still run; what is no such name never does."""
    pid, _, started = name.partition("-")
    return pid.isdecimal() and _started(int(pid)) == started
