"""`ls`, `find`, `tree`, `who`, `history`, `audit`."""

from __future__ import annotations

from .adding import Adder


def add(command: Adder) -> None:
    """Add them."""
    made = command(
        "ls",
        "looking.ls",
        "list folders",
        "securestore ls Cases/12",
        "securestore ls --trash",
        "securestore ls --json | jq -r '.items[].name'",
    )
    made.add_argument("path", nargs="*", help="folders there; left out, your own files")
    made.add_argument("--trash", action="store_true", help="what can be brought back")
    made.add_argument("--shared", action="store_true", help="what others shared with you")
    made = command(
        "find",
        "looking.find",
        "search names",
        "securestore find offer 2026",
        "securestore find --below Cases/12 scan",
    )
    made.add_argument("words", nargs="+", help="words of the name")
    made.add_argument("--below", metavar="FOLDER", help="only there")
    made = command(
        "tree", "looking.tree", "show a folder and all below it", "securestore tree Cases"
    )
    made.add_argument("path", nargs="?", default="", help="a folder there")
    made.add_argument("--depth", type=int, metavar="N", help="so many levels")
    made = command(
        "who",
        "looking.who",
        "with whom it is shared, and why",
        "securestore who Cases/12",
        "securestore who Cases/12 --all --json",
        "securestore who Cases/12/offer.pdf --read",
    )
    made.add_argument("path", help="a file or folder there")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="each person; for administrators")
    which.add_argument("--read", action="store_true", help="who has read it, and who has not")
    made = command(
        "history",
        "looking.history",
        "what happened to it",
        "securestore history Cases/12/offer.pdf",
    )
    made.add_argument("path", help="a file there")
    made = command(
        "audit",
        "looking.audit",
        "the log, for tokens with the scope audit",
        "securestore audit --after 120345 --json",
    )
    made.add_argument("--after", metavar="N", default="0", help="events after that number")
    made.add_argument("--lines", action="store_true", help="one JSON object a line")
