"""What is written once answers as the rule does, to each who asks, whoever asked before."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from files.access import rule
from files.access.principals import Link, Person, Principal, Program, Scope
from files.access.statements import reaches
from tests.files import trees
from tests.files.conftest import give
from tests.files.test_models import placed

READ, ADD, MANAGE = (frozenset({one}) for one in (Scope.READ, Scope.ADD, Scope.MANAGE))


def test_each_who_asks_is_answered_as_the_rule_does(alice: User, bob: User, mallory: User) -> None:
    case, other = trees.folder(alice, "Case"), trees.folder(alice, "Other")
    files = [placed(alice, case), placed(alice, other), placed(bob, name="b.txt")]
    give(files[0], bob, level="manage")
    give(case, mallory)
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    mallory.refresh_from_db()
    asking: list[Principal] = [Person(one) for one in (alice, bob, mallory)]
    asking += [Program(one, READ) for one in (bob, mallory)]
    for scopes in (READ, ADD, MANAGE):
        asking += [Program(alice, scopes, folder) for folder in (None, case.pk, other.pk)]
    asking.append(Link(alice, 1, timezone.now() + timedelta(hours=1), file=files[0].pk))
    answers = set()
    for part in (rule.visible_to, rule.removable_by):
        theirs = [set(part(who).values_list("pk", flat=True)) for who in asking]
        for _ in range(2):
            for who, expected in zip(asking, theirs, strict=True):
                found = {file.pk for file in files if reaches(part, who, file.pk)}
                assert found == expected, (part, who)
                answers.add((part, len(found)))
    assert len(answers) > 4


def test_a_token_of_one_folder_is_no_token_of_another_nor_of_all(alice: User) -> None:
    case, other = trees.folder(alice, "Case"), trees.folder(alice, "Other")
    for _ in range(2):
        for folder in (None, case.pk, other.pk):
            for wanted in (case, other):
                found = reaches(rule.folders_visible_to, Program(alice, READ, folder), wanted.pk)
                assert found == (folder in {None, wanted.pk})
    assert not reaches(rule.folders_managed_by, Program(alice, READ), case.pk)
    assert reaches(rule.folders_managed_by, Program(alice, MANAGE), case.pk)
