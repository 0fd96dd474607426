"""`python -m securestore_client`, and where both programs begin."""

from __future__ import annotations

import sys

from .cli import main


def run() -> None:
    """Be the command, to the end of the process."""
    sys.exit(main())


if __name__ == "__main__":
    run()
