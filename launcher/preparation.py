"""`python -m launcher.preparation FOLDER`: what a site needs before it serves, in one process.

Each command of the site loads all of it first; here they share that. Each is `manage.py` with its
words, as an operator runs it, and the first that fails ends all. Nothing that is started stays.
"""

import contextlib
import os
import runpy
import sys
from pathlib import Path

import django

from launcher import static_files

COLLECTED = "static.collected"
"""In the installation's folder: of what its static files were collected."""

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


def main(data: Path) -> None:
    """Migrate, collect static files, check, and set the vault up, which may say a password once.

    `data` is the installation's folder. Raises `SystemExit` where a command does.
    """
    run("The database migration", "migrate", "--noinput", "--verbosity=0")
    collect(data / COLLECTED)
    # "No issues" is not worth a line; what is wrong comes on the other channel.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        run("The configuration check", "check", "--database=default")
    # Last, for a password is said only once. What it would check before has just been checked.
    run("Setting up the vault", "setup_vault", "--skip-checks")


def collect(note: Path) -> None:
    """Collect static files, unless `note` says that they are there. Raises `SystemExit`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "securestore.settings")
    django.setup()
    words = ("collectstatic", "--noinput", "--verbosity=0")
    static_files.collect(note, lambda: run("Collecting static files", *words))


def run(name: str, *words: str) -> None:
    """Run a command of the site. Raises `SystemExit` where it fails, and says which it was."""
    sys.argv = [str(MANAGE), *words]
    try:
        runpy.run_path(str(MANAGE), run_name="__main__")
    except SystemExit as end:
        if not end.code:
            return
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        sys.stderr.write(f"{name} failed.\n")
        sys.exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
