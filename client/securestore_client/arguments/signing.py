"""`login`, `logout`, `whoami`."""

from __future__ import annotations

from typing import Final

from .adding import Adder

SCOPES: Final = ("read", "add", "share", "manage")
"""What `login` asks for, unless it is told."""


def add(command: Adder) -> None:
    """Add them."""
    made = command(
        "login",
        "signing.login",
        "sign in, and keep a token",
        "securestore login https://files.example.org",
        "securestore login https://files.example.org --no-browser --scopes add",
        "securestore login https://files.example.org --token-command 'pass show securestore'",
    )
    made.add_argument("site", nargs="?", help="address of the site")
    made.add_argument("--no-browser", action="store_true", help="by a code for any browser")
    made.add_argument(
        "--scopes",
        default=",".join(SCOPES),
        help="read, add, share, manage, audit",
    )
    made.add_argument("--name", help="what the token is called")
    command("logout", "signing.logout", "end the token and forget it", "securestore logout")
    command(
        "whoami", "signing.whoami", "whose token it is, and what it may do", "securestore whoami"
    )
