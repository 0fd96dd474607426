"""`put`, `get`, `cat`, `open`, `sync`."""

from __future__ import annotations

import argparse

from .adding import Adder


def add(command: Adder) -> None:
    """Add them."""
    made = command(
        "put",
        "transfers.put",
        "upload files, folders or standard input; goes on where it was cut off",
        "securestore put report.pdf --to Cases/12",
        "securestore put Scans --to Cases/12",
        "tar c /etc | securestore put - --name etc.tar --to Backups",
    )
    made.add_argument("source", nargs="+", help="files and folders here, or - for standard input")
    made.add_argument("--to", default="", metavar="FOLDER", help="folder there; made if missing")
    made.add_argument("--name", help="its name there, where it is one")
    made.add_argument(
        "--conflict",
        choices=["version", "rename", "refuse"],
        default="version",
        help="what a name means that is taken by other bytes (version)",
    )
    _at_once(made)
    made = command(
        "get",
        "transfers.get",
        "download files and folders; goes on where it was cut off",
        "securestore get Cases/12/report.pdf",
        "securestore get Cases/12 --to /tmp",
        "securestore get Cases/12/report.pdf --output r.pdf --force",
    )
    made.add_argument("path", nargs="+", help="files and folders there")
    _where(made)
    _at_once(made)
    made = command(
        "cat",
        "transfers.cat",
        "write files to standard output",
        "securestore cat Backups/app.sql | psql app",
    )
    made.add_argument("path", nargs="+", help="files there")
    made.add_argument("--key-file", metavar="FILE", help="key of a locked file")
    made = command(
        "open",
        "transfers.open_locked",
        "download a locked file with its key, or its passphrase, from a file or typed",
        "securestore open Cases/12/offer.pdf",
        "securestore open Cases/12/offer.pdf --key-file offer.pdf.key --output -",
    )
    made.add_argument("path", help="a locked file there")
    _where(made)
    made = command(
        "sync",
        "syncing.sync",
        "make the second one like the first, by digest; one of the two is written ssv:Folder",
        "securestore sync Photos ssv:Photos",
        "securestore sync ssv:Photos Photos --delete",
        "securestore sync Photos ssv:Photos --dry-run --json",
    )
    made.add_argument("source", help="a folder, here or there")
    made.add_argument("target", help="the folder that becomes like it")
    made.add_argument("--delete", action="store_true", help="delete what only TARGET has; asks")
    made.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _at_once(made)


def _where(made: argparse.ArgumentParser) -> None:
    made.add_argument("--to", default=".", metavar="FOLDER", help="folder here")
    made.add_argument("--output", "-o", metavar="FILE", help="name here")
    made.add_argument("--force", "-f", action="store_true", help="in the place of what is there")
    made.add_argument("--key-file", metavar="FILE", help="key of a locked file")


def _at_once(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--at-once",
        type=int,
        choices=range(1, 17),
        default=8,
        metavar="N",
        help="files at once (8)",
    )
