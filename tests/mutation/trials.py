"""A pytest plugin that tries mutants, each in a fork of one process that is ready to run tests.

To start Django, to collect and to migrate a database takes longer than most trials. So that is done
once, every test is run once to see that it passes, how long it takes and which functions of the
module it enters; then each mutant gets a fork in which the module's functions have the mutant's
code, and in which the tests that enter the changed function run, quick ones first.

It errs on one side only: what survives here may be killed in a process of its own, as whatever was
worked out before the fork stays. The command tries those again, and what is in no function.

It is told what to do, and answers, by files: see `Order`.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import NoReturn

import pytest

KILLED, SURVIVED, TIMED_OUT, UNTRIED = "killed", "survived", "timed out", "untried"
_STATUS = {0: SURVIVED, 1: KILLED, 3: UNTRIED}
_MEMORY = 6 * 2**30
"""Bytes of address space that a mutant gets: one that fills a list without end is stopped."""


@dataclass(frozen=True)
class Order:
    """What to try: the module's file, and the text and the function of each mutant."""

    path: str
    mutants: list[tuple[str, str]]

    @classmethod
    def read(cls) -> Order:
        """From the file that the environment names. Its answer lies beside it."""
        said = json.loads(Path(os.environ["MUTATION_ORDER"]).read_text())
        return cls(said["path"], [tuple(one) for one in said["mutants"]])

    @staticmethod
    def answer(outcomes: list[str]) -> None:
        """Write the outcomes, one for each mutant."""
        Path(os.environ["MUTATION_ORDER"]).with_suffix(".answer").write_text(json.dumps(outcomes))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """In the place of pytest's own loop."""
    if session.testsfailed:
        raise pytest.UsageError("The tests cannot even be collected.")
    order = Order.read()
    path = str(Path(order.path).resolve())
    entered, seconds = _first_run(session, path)
    functions = _functions_of(path)
    outcomes: list[str] = []
    began = time.monotonic()
    for text, function in order.mutants:
        items = sorted(entered[function], key=lambda item: seconds[item])
        limit = 20 + 10 * sum(seconds[item] for item in items)
        outcomes.append(_tried(session, items, functions, compile(text, path, "exec"), limit))
        _say_progress(outcomes, len(order.mutants), time.monotonic() - began)
    order.answer(outcomes)
    return True


def _first_run(
    session: pytest.Session, path: str
) -> tuple[dict[str, list[pytest.Item]], dict[pytest.Item, float]]:
    """Run every test as it is: which ones enter each function, and what each takes."""
    entered: dict[str, list[pytest.Item]] = defaultdict(list)
    seconds: dict[pytest.Item, float] = {}
    names: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename == path:
            names.add(outermost(frame.f_code.co_qualname))

    for item in session.items:
        names.clear()
        began = time.monotonic()
        threading.settrace(note)
        sys.settrace(note)
        try:
            _run(session, [item])
        finally:
            sys.settrace(None)
            threading.settrace(None)
        seconds[item] = time.monotonic() - began
        for name in names:
            entered[name].append(item)
        if session.testsfailed:
            raise pytest.UsageError(f"{item.nodeid} fails without any mutant.")
    return entered, seconds


def outermost(qualified: str) -> str:
    """The function that one is made in, or itself: a decorator runs once, what it made each time.

    Where only the inner one is entered, the tests that do concern both.
    """
    return qualified.partition(".<locals>")[0]


def _run(session: pytest.Session, items: list[pytest.Item]) -> bool:
    """Run tests until one fails; whether none did. What belongs to the session stays made."""
    for item in items:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=session)
        if session.testsfailed:
            return False
    return True


def _functions_of(path: str) -> list[FunctionType]:
    gc.unfreeze()  # What is frozen is not listed.
    listed = gc.get_objects()
    gc.freeze()
    # By their true type: to ask a lazy object for its class is to have it made.
    functions = [one for one in listed if type(one) is FunctionType]
    return [one for one in functions if one.__code__.co_filename == path]


def _tried(
    session: pytest.Session,
    items: list[pytest.Item],
    functions: list[FunctionType],
    code: CodeType,
    limit: float,
) -> str:
    child = os.fork()
    if not child:
        _try(session, items, functions, code, int(limit))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return TIMED_OUT if status == -signal.SIGALRM else _STATUS.get(status, KILLED)


def _try(
    session: pytest.Session,
    items: list[pytest.Item],
    functions: list[FunctionType],
    code: CodeType,
    limit: int,
) -> NoReturn:
    """In the fork: become the mutant, run its tests, and end with the outcome as the status."""
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(limit)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        if not _become(functions, code):
            status = 3
        elif _run(session, items):
            status = 0
    finally:
        os._exit(status)


def _become(functions: list[FunctionType], module: CodeType) -> bool:
    """Give the module's functions the code that they have in the mutant; whether that could be."""
    codes: dict[str, list[CodeType]] = defaultdict(list)

    def look(code: CodeType) -> None:
        for one in code.co_consts:
            if isinstance(one, CodeType):
                codes[one.co_qualname].append(one)
                look(one)

    look(module)
    for function in functions:
        found = codes[function.__code__.co_qualname]
        # A property and its setter have one name: which is which, only a process of its own knows.
        if len(found) != 1 or len(found[0].co_freevars) != len(function.__code__.co_freevars):
            return False
        function.__code__ = found[0]
    return True


def _say_progress(outcomes: list[str], total: int, seconds: float) -> None:
    left = seconds / len(outcomes) * (total - len(outcomes))
    killed = sum(one in {KILLED, TIMED_OUT} for one in outcomes)
    print(
        f"\r{len(outcomes)} of {total} tried, {killed} killed, about {left:.0f} s left ",
        end="" if len(outcomes) < total else "\n",
        file=sys.__stderr__,
        flush=True,
    )
