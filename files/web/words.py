"""The words of pages for what the code calls otherwise. `docs/words.md` is the glossary."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from files.models import Grant

Words = str | Promise

_FILES: dict[str, Words] = {
    Grant.Level.DOWNLOAD: _("open and download"),
    Grant.Level.MANAGE: _("open, download, rename, share and delete"),
}
_FOLDERS: dict[str, Words] = {
    Grant.Level.DOWNLOAD: _("open and download"),
    Grant.Level.ADD: _("open, download and add files and folders"),
    Grant.Level.MANAGE: _("open, download, add, rename, share and delete"),
}


def levels_of(*, folders: bool) -> list[tuple[str, Words]]:
    """What somebody can be let do with files or with folders, as a field offers it."""
    return list((_FOLDERS if folders else _FILES).items())


def can(level: str, *, folder: bool) -> Words:
    """What somebody can do who has that level: after “can”."""
    return (_FOLDERS if folder else _FILES)[level]
