"""Whichever thread gets a signal to stop, the process hears of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher.ports import LOOPBACK, free_port
from launcher.process import Child

ROOT = Path(__file__).parents[2]

# As in the web server: the main thread waits in a lock, and another one may get the signal.
WAITING = """
import signal, sys, threading
from runtime import stopping
stopping.hear()
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
main = threading.get_ident()

def send():
    gets_it = threading.get_ident() if sys.argv[1] == "another" else main
    signal.pthread_kill(gets_it, signal.SIGTERM)

threading.Timer(0.5, send).start()
told.wait()
print("told")
"""


@pytest.mark.parametrize("who", ["another", "main"])
def test_whichever_thread_gets_it(who: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITING, who],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("told\n", "", 0)


def test_it_is_for_the_main_thread() -> None:
    """Elsewhere nothing is changed: Python would refuse."""
    code = (
        "import signal, threading\nfrom runtime import stopping\n"
        "one = threading.Thread(target=stopping.hear)\none.start()\none.join()\n"
        "print(signal.set_wakeup_fd(-1))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "-1\n"


# Loading the site takes as long, and a stop may come meanwhile.
STARTING = """
import pathlib, time
pathlib.Path(__file__).with_name("begun").touch()
time.sleep(1)
from runtime import stopping
stopping.hear()
def application(environment, start_response):
    start_response("200 OK", [])
    return [b""]
"""


@pytest.mark.integration
def test_a_process_that_is_told_while_it_starts_does_not_go_on(tmp_path: Path) -> None:
    """It has the web server's own handler then, which would let it serve until it is killed."""
    (tmp_path / "site_that_starts.py").write_text(STARTING)
    options = ["--interface", "wsgi", "--no-ws", "--workers-kill-timeout", "30"]
    address = ["--host", LOOPBACK, "--port", str(free_port())]
    server = Child(
        "Granian",
        [sys.executable, "-m", "granian", *options, *address, "site_that_starts:application"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path,
        log=tmp_path / "log",
        grace=60,
    )
    try:
        server.wait_until((tmp_path / "begun").exists, seconds=60)
    finally:
        told = time.monotonic()
        server.stop()
    assert time.monotonic() - told < 20
