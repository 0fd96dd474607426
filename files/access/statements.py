"""The rule as pages ask it: written once for people, with their values filled in.

Must never keep an answer, nor ask otherwise than `rule` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.db.models import Field, QuerySet

from accounts.models import User
from files.access.principals import Person, Principal
from runtime.statements import NUMBER, Many, Somebody, statement

Found = TypeVar("Found")


def asked(
    **given: Field[Any, Any] | Many,
) -> Callable[[Callable[..., QuerySet[Any, Found]]], Callable[..., list[Found]]]:
    """A question that pages ask by the rule: a queryset of who asks, written once for people.

    `given` are its values besides (`runtime.statements`). Of others than active people, who all
    differ in what the rule leaves them, it is written each time.
    """

    def decorate(write: Callable[..., QuerySet[Any, Found]]) -> Callable[..., list[Found]]:
        @statement(user=NUMBER, **given)
        def of_person(user: Any, **values: Any) -> QuerySet[Any, Found]:
            return write(Person(cast("User", Somebody(user))), **values)

        def ask(who: Principal, **values: Any) -> list[Found]:
            if isinstance(who, Person) and who.user.is_active:
                return of_person(user=who.user.pk, **values)
            return list(write(who, **values))

        return ask

    return decorate
