"""The words of people's and groups' names, by which they are found (`accounts.finding`).

Never says anything that the names themselves do not.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import Group
from django.db import models

from accounts.models.users import User

LONGEST_WORD = 200
"""Characters of a word that are kept: more than a name has whose characters do not become many."""


class WordField(models.CharField[str, str]):
    """Text in the order of its bytes, so that one index has all that begins with something."""

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class NameWord(models.Model):
    """A word of a person's or a group's name, without case and accents. See `accounts.finding`."""

    word = WordField(max_length=LONGEST_WORD)
    # Not held by the database: code of the release before deletes people and groups, and knows no
    # words of theirs. A sweep takes these.
    user = models.ForeignKey(
        User,
        models.CASCADE,
        null=True,
        related_name="name_words",
        db_index=False,
        db_constraint=False,
    )
    group = models.ForeignKey(
        Group,
        models.CASCADE,
        null=True,
        related_name="name_words",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["user", "word"], name="nameword_of_user_once"),
            models.UniqueConstraint(fields=["group", "word"], name="nameword_of_group_once"),
            models.CheckConstraint(
                condition=models.Q(user=None, group__isnull=False)
                | models.Q(user__isnull=False, group=None),
                name="nameword_of_user_or_group",
            ),
        )
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["word", "id"], name="nameword_begins")
        ]

    def __str__(self) -> str:
        return self.word
