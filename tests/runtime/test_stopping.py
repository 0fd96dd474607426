"""Whichever thread gets a signal to stop, the process hears of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
