"""`mkdir`, `mv`, `rm`, `restore`, `versions`."""

from __future__ import annotations

from .adding import Adder


def add(command: Adder) -> None:
    """Add them."""
    made = command("mkdir", "changing.mkdir", "make folders", "securestore mkdir Cases/12/Scans")
    made.add_argument("path", nargs="+", help="folders there")
    made = command(
        "mv",
        "changing.mv",
        "move or rename",
        "securestore mv draft.pdf offer.pdf",
        "securestore mv a.pdf b.pdf Cases/12",
    )
    made.add_argument("path", nargs="+", help="what there is, and where it is to be")
    made = command(
        "rm",
        "changing.rm",
        "put into the trash",
        "securestore rm Cases/12/draft.pdf",
        "securestore rm --recursive Cases/11",
    )
    made.add_argument("path", nargs="+", help="files and folders there")
    made.add_argument("--recursive", "-r", action="store_true", help="folders, too")
    made = command(
        "restore", "changing.restore", "bring back from the trash", "securestore restore draft.pdf"
    )
    made.add_argument("path", nargs="+", help="names in the trash, or id:<uuid>")
    made = command(
        "versions",
        "versioning.versions",
        "the former versions of a file; or one of them made current again",
        "securestore versions Cases/12/offer.pdf",
        "securestore versions Cases/12/offer.pdf --restore 3f0c1f6e-…",
    )
    made.add_argument("path", help="a file there")
    made.add_argument("--restore", metavar="VERSION", help="make that one current again")
