"""Names that somebody typed or chose to share with: each means exactly one person or group.

As `recipients` finds them, and no others: active people by user name, e-mail address or full name,
each in full, and groups by name. A full name, and a group's, may be written without its accents,
where nobody is called just so. Never a guess: what may mean two is told, with how to write each.
`user:…` and `group:…` are ways to write a name that can mean nothing else; pages send these.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import finding
from accounts.models import User
from files.records.names import plain_name
from files.sharing.recipients import Recipient, describe, find

AT_MOST = 50
"""People and groups that one step is for."""

ADVISED = 5
"""Names without anybody of whom similar ones are looked for: each takes some queries."""

_SEVERAL = re.compile(r"[,;]")


@dataclass(frozen=True)
class Named:
    """Who was named, each once, in that order, and what is wrong with the other names, in words."""

    recipients: Sequence[Recipient]
    problems: Sequence[str]


def written(recipient: Recipient) -> str:
    """The name that can mean nobody else."""
    if isinstance(recipient, Group):
        return f"group:{recipient.name}"
    return f"user:{recipient.username}"


def named(text: str) -> Named:
    """Who the names in the text mean: one a line, or several with commas between them.

    Three queries, and some for each of the first few names that mean nobody.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [part.strip() for line in lines for part in _SEVERAL.split(line) if part.strip()]
    if len(parts) > AT_MOST:
        return Named((), [_too_many(len(parts))])
    known = _known({*lines, *parts})
    # The name of a group may have a comma in it: a whole line comes first.
    names = [
        name
        for line in lines
        for name in ([line] if line in known else map(str.strip, _SEVERAL.split(line)))
        if name
    ]
    return _meant(names, known)


def named_each(names: Sequence[str]) -> Named:
    """The same of names that are told apart already."""
    wanted = [name for one in names if (name := one.strip().replace("\0", ""))]
    if len(wanted) > AT_MOST:
        return Named((), [_too_many(len(wanted))])
    if not wanted:
        return Named((), [_("Name somebody.")])
    return _meant(wanted, _known(set(wanted)))


def _meant(names: Sequence[str], known: dict[str, list[Recipient]]) -> Named:
    recipients: dict[tuple[type, int], Recipient] = {}
    problems: list[str] = []
    nobody = 0
    for name in dict.fromkeys(names):
        meant = known.get(name, ())
        if len(meant) == 1:
            recipients[type(meant[0]), meant[0].pk] = meant[0]
        elif meant:
            problems.append(_ambiguous(name, meant))
        else:
            nobody += 1
            problems.append(_unknown(name, advised=nobody <= ADVISED))
    return Named(list(recipients.values()), problems)


def _known(names: Collection[str]) -> dict[str, list[Recipient]]:
    """Whom each of these names means, where it means anybody. Three queries."""
    if not names:
        return {}
    called = {*names, *map(_group_name, names)}
    user_ids, group_ids = finding.with_all_words(called, at_most=10 * AT_MOST)
    by_name: defaultdict[str, list[Recipient]] = defaultdict(list)
    by_plain: defaultdict[str, list[Recipient]] = defaultdict(list)
    for user in _people(names, user_ids):
        spellings = {user.username, user.email, user.get_full_name(), describe(user), written(user)}
        for spelling in {one.casefold() for one in spellings if one}:
            by_name[spelling].append(user)
        by_plain[_plain(user.get_full_name())].append(user)
    groups = _groups(names, group_ids)
    for group in groups:
        by_plain[_plain(group.name)].append(group)
    found: dict[str, list[Recipient]] = {}
    for name in names:
        meant = [*by_name[_spelling(name)], *_called(groups, _group_name(name))]
        if meant := meant or by_plain.get(_plain(_group_name(name)), []):
            found[name] = [one for one in meant if _is_of_kind(name, one)]
    return found


def _spelling(name: str) -> str:
    kind, colon, rest = name.casefold().partition(":")
    return f"user:{rest.strip()}" if colon and kind == "user" else name.casefold()


def _plain(name: str) -> str:
    return " ".join(plain_name(name).split())


def _is_of_kind(name: str, one: Recipient) -> bool:
    """Whether it may be meant by the name: one that says that it is a group's means no person."""
    return _group_name(name) == name or isinstance(one, Group)


def _people(names: Collection[str], called: Sequence[int]) -> Iterable[User]:
    """Those of these ids, and those of these user names and addresses."""
    lower = {name.lower() for name in names}
    # SQLite makes small letters of those of ASCII alone.
    for spelled in (str, str.lower, str.upper, str.title):
        lower |= {_lower_ascii(spelled(name)) for name in names}
    tails = {name[:-1].rpartition("(")[2] for name in lower if name.endswith(")")}
    logins = {name.removeprefix("user:").strip() for name in lower} | tails
    people = User.objects.filter(is_active=True).annotate(
        login=Lower("username"), address=Lower("email")
    )
    wanted = Q(login__in=logins) | Q(address__in=lower) | Q(pk__in=called)
    return people.filter(wanted).order_by("username")[: 20 * AT_MOST]


def _groups(names: Collection[str], called: Sequence[int]) -> list[Group]:
    """Those of these ids, and those of these names."""
    wanted = Q(name__in={_group_name(name) for name in names}) | Q(pk__in=called)
    return list(Group.objects.filter(wanted).order_by("name")[: 20 * AT_MOST])


def _called(groups: Iterable[Group], name: str) -> list[Group]:
    """The groups of that name: as it was written or else, in small letters, any of that name."""
    exact = [group for group in groups if group.name == name]
    return exact or [group for group in groups if group.name.casefold() == name.casefold()]


def _group_name(name: str) -> str:
    """What the group would be called that is written so."""
    if name.lower().startswith("group:"):
        return name[len("group:") :].strip()
    before, after = _spaced(describe(Group(name="\0"))).split("\0")
    said = _spaced(name)
    if said.startswith(before) and said.endswith(after) and len(said) > len(before + after):
        return name[len(before) : len(name) - len(after)]
    return name


def _spaced(text: str) -> str:
    """With plain spaces, which nobody types otherwise."""
    return re.sub(r"\s", " ", text)


def _lower_ascii(text: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in text)


def _too_many(count: int) -> str:
    return _(
        "You named %(count)d people and groups, and at most %(most)d can be named at once: share "
        "with some of them first, or with a group."
    ) % {"count": count, "most": AT_MOST}


def _ambiguous(name: str, meant: Sequence[Recipient]) -> str:
    ways = ", ".join(f"{written(one)} ({describe(one)})" for one in meant[:AT_MOST])
    return _("“%(name)s” can mean several. Write one of: %(ways)s.") % {"name": name, "ways": ways}


def _unknown(name: str, *, advised: bool) -> str:
    found = find(name) if advised else None
    if found is None or not found.similar:
        return _(
            "There is no person and no group “%(name)s”. Check the spelling, or type the user "
            "name, the full name or the e-mail address in full."
        ) % {"name": name}
    ways = ", ".join(f"{written(one)} ({describe(one)})" for one in found.similar)
    told = ngettext(
        "“%(name)s” is only a part of a name. Did you mean %(ways)s? Write it in full.",
        "“%(name)s” is only a part of a name. Did you mean one of %(ways)s? Write it in full.",
        len(found.similar),
    ) % {"name": name, "ways": ways}
    return f"{told} {_('There are more: type more of the name.')}" if found.are_more else told
