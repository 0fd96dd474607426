"""Finding people and groups by what somebody types of their names, without case or accents.

Each word of a name is a row of `NameWord`, and what follows a dot or a hyphen in it is one as well,
so that an index has everybody with a word that begins as typed. The rows follow the names whenever
these are saved; `refresh` sees to those that were written past that, as by the release before.
Never an e-mail address, but where somebody has it as user name. Must never decide who may be found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import NameWord, User
from accounts.models.names import LONGEST_WORD
from files.crypto.portable import plain

OF_PERSON: Final = ("username", "first_name", "last_name")
OF_GROUP: Final = ("name",)

LOOKED_AT: Final = 200
"""Words that begin as typed and are looked at: of more, those that come first by letter."""

WORDS_TYPED: Final = 8
"""Words of what somebody types that count."""

_AT_ONCE: Final = 500
_PIECES: Final = re.compile(r"[-._@+'\u2019]+")
_LAST: Final = "\U0010ffff"


def words_typed(text: str) -> list[str]:
    """The words to look for; the longest first, as the one that says most."""
    words = {word[:LONGEST_WORD] for word in plain(text.replace("\0", "")).split()}
    return sorted(words, key=lambda word: (-len(word), word))[:WORDS_TYPED]


def words_of(*names: str) -> set[str]:
    """The words of these names, and the pieces of each, as `NameWord` has them."""
    words = set(plain(" ".join(names)).split())
    pieces = {piece for word in words for piece in _PIECES.split(word) if piece}
    return {word[:LONGEST_WORD] for word in words | pieces}


_Named = TypeVar("_Named", User, Group)


def with_parts(rows: QuerySet[_Named], text: str) -> QuerySet[_Named]:
    """Those people, or groups, in whose names every word of the text occurs, anywhere."""
    kind = _kind(rows.model)
    for word in words_typed(text):
        rows = rows.filter(
            Exists(NameWord.objects.filter(**{kind: OuterRef("pk")}, word__contains=word))
        )
    return rows


def beginning(text: str, *, but: User) -> tuple[list[int], list[int]]:
    """Ids of active people and of groups with words that begin with all that was typed.

    Without `but`. One query of an index, of `LOOKED_AT` words at most.
    """
    longest, *others = words_typed(text) or [""]
    if not longest:
        return [], []
    found = NameWord.objects.filter(**_begins(longest)).exclude(user=but)
    found = found.filter(Q(user__isnull=True) | Q(user__is_active=True))
    for word in others:
        theirs = NameWord.objects.filter(**_begins(word))
        found = found.filter(
            Q(Exists(theirs.filter(user=OuterRef("user"))))
            | Q(Exists(theirs.filter(group=OuterRef("group"))))
        )
    return _ids_of(found, LOOKED_AT)


def with_all_words(names: Iterable[str], *, at_most: int) -> tuple[list[int], list[int]]:
    """Ids of active people and of groups that have every word of one of these names.

    Whoever asks compares the names: these may have more words, or them in another order. One query.
    """
    asked = {tuple(words_typed(name)) for name in names} - {()}
    if not asked:
        return [], []
    wanted = Q()
    for longest, *others in sorted(asked):
        has_all = Q(word=longest)
        for word in others:
            theirs = NameWord.objects.filter(word=word)
            has_all &= Q(Exists(theirs.filter(user=OuterRef("user")))) | Q(
                Exists(theirs.filter(group=OuterRef("group")))
            )
        wanted |= has_all
    found = NameWord.objects.filter(Q(user__isnull=True) | Q(user__is_active=True)).filter(wanted)
    return _ids_of(found, at_most)


def _ids_of(words: QuerySet[NameWord], at_most: int) -> tuple[list[int], list[int]]:
    """Whose the first of these words are: people, and groups."""
    ids = words.order_by("word", "pk").values_list("user", "group")[:at_most]
    found: list[tuple[int | None, int | None]] = list(ids)
    people = dict.fromkeys(user for user, _ in found if user is not None)
    groups = dict.fromkeys(group for _, group in found if group is not None)
    return list(people), list(groups)


def _begins(word: str) -> dict[str, str]:
    # A range, which the index of words has on either database.
    return {"word__gte": word, "word__lt": word + _LAST}


# --- Keeping the words -------------------------------------------------------------------------


@receiver(post_save, sender=User)
@receiver(post_save, sender=Group)
def _follow(
    instance: Any, raw: bool = False, update_fields: Iterable[str] | None = None, **_kwargs: Any
) -> None:
    names = OF_PERSON if isinstance(instance, User) else OF_GROUP
    if raw or (update_fields is not None and not set(names) & set(update_fields)):
        return
    _set(NameWord, _kind(type(instance)), [instance])


def refresh(
    models: Iterable[Any] = (User, Group), words: Any = NameWord, *, using: str = "default"
) -> int:
    """Give everybody the words of their names; how many had others. Safe to repeat.

    Each batch is one transaction. `models` and `words` are a migration's, too.
    """
    changed = 0
    for model in models:
        known = model._base_manager.using(using)
        of_nobody = words._base_manager.using(using).filter(**{f"{_kind(model)}__isnull": False})
        of_nobody.exclude(**{f"{_kind(model)}__in": known.values("pk")}).delete()
        last = 0
        rows = model._base_manager.using(using).order_by("pk")
        while some := list(rows.filter(pk__gt=last)[:_AT_ONCE]):
            with transaction.atomic(using=using):
                changed += _set(words, _kind(model), some, using)
            last = some[-1].pk
    return changed


def out_of_step() -> int:
    """How many people and groups have other words than those of their names. Reads all of them."""
    return sum(
        len(_differing(NameWord, _kind(model), some, "default"))
        for model in (User, Group)
        for some in _pages(model)
    )


def _pages(model: type[User | Group]) -> Iterator[list[Any]]:
    last = 0
    rows = model._base_manager.order_by("pk")
    while some := list(rows.filter(pk__gt=last)[:_AT_ONCE]):
        yield some
        last = some[-1].pk


def _kind(model: Any) -> str:
    return "user" if model._meta.model_name == "user" else "group"


def _differing(
    words: Any, kind: str, rows: list[Any], using: str
) -> dict[int, tuple[set[str], set[str]]]:
    """By id, the words that are missing, and those that are there and should not be."""
    names = OF_PERSON if kind == "user" else OF_GROUP
    there: defaultdict[int, set[str]] = defaultdict(set)
    kept = words._base_manager.using(using).filter(**{f"{kind}__in": [row.pk for row in rows]})
    for pk, word in kept.values_list(f"{kind}_id", "word"):
        there[pk].add(word)
    found = {}
    for row in rows:
        expected = words_of(*(getattr(row, name) for name in names))
        if expected != there[row.pk]:
            found[row.pk] = (expected - there[row.pk], there[row.pk] - expected)
    return found


def _set(words: Any, kind: str, rows: list[Any], using: str = "default") -> int:
    differing = _differing(words, kind, rows, using)
    manager = words._base_manager.using(using)
    gone = Q()
    for pk, (_, over) in differing.items():
        if over:
            gone |= Q(**{f"{kind}_id": pk, "word__in": over})
    if gone:
        manager.filter(gone).delete()
    new = [
        words(word=word, **{f"{kind}_id": pk})
        for pk, (missing, _) in differing.items()
        for word in sorted(missing)
    ]
    # Somebody else may add them at the same moment.
    manager.bulk_create(new, ignore_conflicts=True, batch_size=500)
    return len(differing)
