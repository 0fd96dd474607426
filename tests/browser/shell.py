"""Code that is run in the site's own installation, without loading the site for each few lines.

One process loads it. For each piece of code it makes a copy of itself, which runs that as
`manage.py shell` does and is gone: nothing that one piece leaves behind reaches another. What most
pieces begin with is loaded already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]

COPIES = """
import json, os, sys, traceback
import django
django.setup()
import files.sharing.granting, files.vault.storing
from audit import context
from django.core.files.storage import default_storage
default_storage.client

def run(code, output):
    into = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(into, 1)
    os.dup2(into, 2)
    with context.active(context.Context(actor_name="command:shell")):
        exec(compile(code, "<code of a test>", "exec"), {"__name__": "__main__"})

for line in sys.stdin:
    order = json.loads(line)
    copy = os.fork()
    if not copy:
        status = 1
        try:
            run(order["code"], order["output"])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(copy, 0)
    print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
"""


class Shell:
    """The process that loads the site, from the first piece of code on."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment = {**environment, "DJANGO_SETTINGS_MODULE": "securestore.settings"}
        self._output = folder / "shell.output"
        self._process: subprocess.Popen[str] | None = None

    def run(self, code: str) -> str:
        """What the code prints. Fails with it where the code does."""
        orders, answers = self._begun()
        orders.write(json.dumps({"code": code, "output": str(self._output)}) + "\n")
        orders.flush()
        answer = answers.readline()
        printed = self._output.read_text() if self._output.exists() else ""
        assert answer == "0\n", printed
        return printed

    def stop(self) -> None:
        """No code is run any more."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _begun(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COPIES],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout
