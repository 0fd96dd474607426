"""The filter of a list, in words: what it offers, what is chosen, and how it is taken off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from files.lists.filters import FOLDER, MINE, SHARED, Filter
from files.records.pictures import Picture
from files.web.words import Words

Choices = Sequence[tuple[str, Words]]

KINDS: Final[Choices] = (
    ("", _("Any kind")),
    (FOLDER, _("Folders")),
    (Picture.PDF, _("PDF")),
    (Picture.IMAGE, _("Pictures")),
    (Picture.VIDEO, _("Video")),
    (Picture.AUDIO, _("Sound")),
    (Picture.TEXT, _("Text")),
    (Picture.DOCUMENT, _("Documents")),
    (Picture.SHEET, _("Spreadsheets")),
    (Picture.SLIDES, _("Presentations")),
    (Picture.ARCHIVE, _("Archives")),
    (Picture.OTHER, _("Other files")),
)
OF_ALL: Final[Choices] = (
    ("", _("Mine and shared with me")),
    (MINE, _("Mine")),
    (SHARED, _("Shared with me")),
)
OF_A_FOLDER: Final[Choices] = (
    ("", _("Added by anybody")),
    (MINE, _("Added by me")),
    (SHARED, _("Added by others")),
)
"""All that is in a folder is its owner's."""

OWN: Final[Choices] = ((MINE, _("Mine")), (SHARED, _("Shared with me")))
GIVEN: Final[Choices] = ((SHARED, _("Shared with me")), (MINE, _("Mine")))
"""Of a list that has one of the two alone: the other is another list, and a way to it."""


@dataclass(frozen=True)
class FilterMenu:
    """The form of a list's filter. `kept` are the parameters that it leaves as they are."""

    keep: Filter
    whose: Choices
    kept: Mapping[str, str]
    kinds: Choices = KINDS

    @property
    def is_set(self) -> bool:
        """Whether the list leaves anything out."""
        return self.keep.is_set

    @property
    def chosen(self) -> list[Words]:
        """What was chosen, in words."""
        found = [label for value, label in self.kinds if value and value == self.keep.kind]
        found += [label for value, label in self.whose if value and value == self.keep.whose]
        return [*found, *([_("Locked")] if self.keep.locked else [])]

    @property
    def off_url(self) -> str:
        """The same list without a filter."""
        return "?" + urlencode(self.kept)
