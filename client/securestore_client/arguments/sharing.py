"""`share` and `unshare`, `request`, `requests`, `link`, `links`, `unlink`."""

from __future__ import annotations

from .adding import Adder


def add(command: Adder) -> None:
    """Add them."""
    made = command(
        "share",
        "changing.share",
        "share a file or folder with people and groups",
        "securestore share Cases/12 bob group:Lawyers --can add --until 2026-12-31",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("to", nargs="+", help="user names, e-mail addresses, user:… or group:…")
    made.add_argument(
        "--can",
        dest="level",
        choices=["download", "add", "manage"],
        default="download",
        help="what they can do (download)",
    )
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, no end")
    made.add_argument("--reason", default="", help="why, for whoever asks later")
    made = command(
        "request",
        "asking.request",
        "ask people without an account for files, into a folder",
        "securestore request Applications --until 30d --title 'Your papers'",
    )
    made.add_argument("path", help="a folder there")
    made.add_argument("--title", required=True, help="what is asked for; they read it")
    made.add_argument("--words", default="", help="words to who sends")
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, as is usual")
    made.add_argument("--bytes", type=int, metavar="N", help="that it takes in all")
    made.add_argument("--files", type=int, metavar="N", help="that it takes in all")
    made.add_argument("--senders", type=int, metavar="N", help="people who may send")
    made.add_argument(
        "--code", nargs="+", metavar="ADDRESS", default=[], help="who gets a code by mail first"
    )
    made.add_argument(
        "--accept-first", action="store_true", help="hold back what comes until you accept it"
    )
    made = command(
        "requests",
        "asking.requests",
        "your requests, or those for a folder; or the end of one",
        "securestore requests",
        "securestore requests Applications",
        "securestore requests --end 12",
    )
    made.add_argument("path", nargs="?", help="a folder there; left out, all that you made")
    made.add_argument("--end", type=int, metavar="NUMBER", help="end that one")
    made = command(
        "link",
        "linking.link",
        "make a link to a file or folder for people without an account",
        "securestore link Cases/12 --until 7d --count 3 --password-prompt",
        "securestore link report.pdf --mail ann@example.org",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("--until", metavar="DAY", help="2026-12-31, or 30d; left out, as is usual")
    password = made.add_mutually_exclusive_group()
    password.add_argument("--password-file", metavar="FILE", help="has the password they need")
    password.add_argument(
        "--password-prompt", action="store_true", help="ask for the password they need"
    )
    made.add_argument("--count", type=int, metavar="N", help="downloads there may be")
    made.add_argument(
        "--mail", action="append", metavar="ADDRESS", default=[], help="who gets a code first"
    )
    made.add_argument("--label", default="", help="a note for yourself")
    made = command(
        "links",
        "linking.links",
        "your links, or those to a file or folder",
        "securestore links",
        "securestore links Cases/12",
    )
    made.add_argument("path", nargs="?", help="a file or folder there; left out, all that you made")
    made = command("unlink", "linking.unlink", "end links", "securestore unlink 12 13")
    made.add_argument("number", type=int, nargs="+", help="as `links` has it")
    made = command(
        "unshare",
        "changing.unshare",
        "stop sharing with somebody",
        "securestore unshare Cases/12 bob",
    )
    made.add_argument("path", help="a file or folder there")
    made.add_argument("to", help="who")
