"""How files and folders of the site are written on the command line, and names of files here.

Cases/12/report.pdf          below one's own files
ssv:Cases/12                 the same; `sync` and completion need to tell it from a path here
id:5c0…/Scans                below the folder of that id, of others who shared it, too
id:5c0…                      that file or folder
"""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from .errors import USAGE, ClientError

THERE = "ssv:"
BY_ID = "id:"
_UNSAFE = re.compile(r'[<>:"|?*\\]|[. ]$')


@dataclass(frozen=True)
class Place:
    """Something at the site: a way of names, from one's own files or from a folder of that id."""

    names: tuple[str, ...] = ()
    root: str | None = None

    def __str__(self) -> str:
        way = "/".join(self.names)
        return f"{BY_ID}{self.root}/{way}".rstrip("/") if self.root else way or "/"

    @property
    def name(self) -> str:
        """Its last name; empty for a root."""
        return self.names[-1] if self.names else ""

    @property
    def folder(self) -> Place:
        """What it is in."""
        return Place(self.names[:-1], self.root)

    def __truediv__(self, name: str) -> Place:
        return Place((*self.names, name), self.root)

    @property
    def way(self) -> str:
        """Its names as a path in an address."""
        return "/".join(quote(name, safe="") for name in self.names)


def parse(text: str) -> Place:
    """What somebody wrote. Raises ClientError."""
    try:
        said = sendable(text).removeprefix(THERE)
    except ClientError as error:
        raise ClientError(f"“{text}”: {error}", USAGE, "bad_path") from None
    root = None
    if said.startswith(BY_ID):
        wanted, _, said = said.removeprefix(BY_ID).partition("/")
        try:
            root = str(uuid.UUID(wanted))
        except ValueError:
            raise ClientError(
                f"“{wanted}” is no id: `securestore ls --json` shows them.", USAGE, "bad_path"
            ) from None
    names = tuple(name for name in said.split("/") if name not in {"", "."})
    if ".." in names:
        raise ClientError(f"“{text}” has “..”: write the whole path.", USAGE, "bad_path")
    return Place(names, root)


def sendable(name: str) -> str:
    """A name of a file here as a name for the site. Raises ClientError where it is no UTF-8.

    Files here may have any bytes for a name; what cannot be decoded comes as lone surrogates.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ClientError("The name is not UTF-8: rename it first.", code="bad_name") from None
    return name


def is_there(text: str) -> bool:
    """Whether that means something at the site, where paths of here are possible, too."""
    return text.startswith((THERE, BY_ID))


def local_name(name: str) -> str:
    """A name of the site as a name of a file here. Raises ClientError where it is none.

    The site keeps no `/` in names. Whoever answers in its place may say anything.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name or (os.sep != "/" and os.sep in name):
        raise ClientError(f"The site has a name that is none here: {name!r}", code="bad_name")
    if os.name == "nt" and _UNSAFE.search(name):
        raise ClientError(f"Windows cannot have a file of the name {name!r}.", code="bad_name")
    return name
