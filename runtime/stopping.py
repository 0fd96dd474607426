"""A signal to stop reaches the thread that waits for it.

The kernel gives a signal to any thread of a process; Python runs its handler in the main one, as
soon as that runs at all. The web server's never does: it waits in a lock until it is told to stop.
Mostly it is also the thread that gets the signal, and wakes up for it. But where another one begins
a thread in that very moment, on a busy host, that one gets it: then the process would go on serving
until it is killed. So whoever gets it, the main thread is woken.

And a process that is still starting has the handlers of the one that it was forked from, which only
note, in a copy that nobody reads, that they were called. Until the web server sets others, it ends
at once; and one that was told before this is called ends now, not when a stop has no patience left.
"""

from __future__ import annotations

import os
import signal
import threading

NUDGE = signal.SIGUSR1
"""What wakes the main thread. It means nothing else here."""


def hear() -> None:
    """Let no signal of this process wait for its main thread; call it there."""
    if threading.current_thread() is not threading.main_thread():
        return
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(writing, False)
    inherited = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Granian's handler is a method of its server, of which a forked process has a copy.
    if getattr(getattr(inherited, "__self__", None), "interrupt_signal", False):
        signal.raise_signal(signal.SIGTERM)
    signal.signal(NUDGE, lambda _number, _frame: None)
    # Written to by the C handler, in whichever thread it runs.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    arguments = (reading, threading.get_ident())
    threading.Thread(target=_pass_on, args=arguments, name="signals", daemon=True).start()


def _pass_on(reading: int, main: int) -> None:
    while numbers := os.read(reading, 256):
        if set(numbers) != {NUDGE}:
            signal.pthread_kill(main, NUDGE)
