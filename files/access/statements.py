"""The rule as pages ask it: written once for people, with their values filled in.

Must never keep an answer, nor ask otherwise than `rule` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, QuerySet

from accounts.models import User
from files.access.principals import Person, Principal, Program
from runtime.statements import ID, NUMBER, Many, Somebody, statement

Found = TypeVar("Found")


def asked(
    **given: Field[Any, Any] | Many,
) -> Callable[[Callable[..., QuerySet[Any, Found]]], Callable[..., list[Found]]]:
    """A question that pages ask by the rule: a queryset of who asks, written once.

    `given` are its values besides (`runtime.statements`). For people it is written once, and for
    programs once for each set of scopes. Of others than active people, who all differ in what the
    rule leaves them, it is written each time.
    """

    def decorate(write: Callable[..., QuerySet[Any, Found]]) -> Callable[..., list[Found]]:
        @statement(user=NUMBER, **given)
        def of_person(user: Any, **values: Any) -> QuerySet[Any, Found]:
            return write(Person(cast("User", Somebody(user))), **values)

        @statement(user=NUMBER, **given)
        def of_program(user: Any, scopes: frozenset[str], **values: Any) -> QuerySet[Any, Found]:
            return write(Program(cast("User", Somebody(user)), scopes), **values)

        @statement(user=NUMBER, token_folder=ID, **given)
        def within(
            user: Any, scopes: frozenset[str], token_folder: Any, **values: Any
        ) -> QuerySet[Any, Found]:
            program = Program(cast("User", Somebody(user)), scopes, token_folder)
            return write(program, **values)

        def ask(who: Principal, **values: Any) -> list[Found]:
            if not who.user.is_active:
                return list(write(who, **values))
            values["user"] = who.user.pk
            try:
                if isinstance(who, Person):
                    return of_person(**values)
                if isinstance(who, Program) and who.folder is None:
                    return of_program(scopes=who.scopes, **values)
                if isinstance(who, Program):
                    return within(scopes=who.scopes, token_folder=who.folder, **values)
            except EmptyResultSet:  # Of a part of the rule that takes another scope.
                return []
            del values["user"]
            return list(write(who, **values))

        return ask

    return decorate


def reaches(part: Callable[[Principal], QuerySet[Any, Any]], who: Principal, pk: UUID) -> bool:
    """Whether a part of the rule, a function of `rule`, has the file or folder with that id."""
    return bool(_those_of(who, part=part, pk=pk))


@asked(pk=ID)
def _those_of(
    who: Principal, part: Callable[[Principal], QuerySet[Any, Any]], pk: Any
) -> QuerySet[Any, UUID]:
    return part(who).order_by().filter(pk=pk).values_list("pk", flat=True)
