"""The rule in trees, stated once more in plain Python, and compared: folders, trash, moves.

`test_rule.py` does the same for single files and their times; here are grants on folders, what is
below them, what sleeps, and who may move, put away and bring back what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import Group
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import User
from files.access import rule
from files.access.explaining import access_of
from files.access.principals import Person
from files.errors import VaultError
from files.folders import moving, trash
from files.models import FileRecord, Folder, Grant
from files.records import derived
from files.tree import placing
from tests.files.test_models import filed

FOREVER = 1000
PEOPLE = 3
RANK = {"download": 0, "add": 1, "manage": 2, "owner": 3}
SELDOM = st.sampled_from([False, False, False, True])


@dataclass
class Place:
    """A folder or a file of the model. `above` is the number of a folder, or -1 - owner: a root."""

    above: int
    is_folder: bool
    by: int
    put_away: bool = False
    put_away_by: int = 0


@dataclass(frozen=True)
class Given:
    target: int
    to_group: bool
    recipient: int
    level: str
    starts: int | None
    expires: int | None
    revoked: bool


@dataclass(frozen=True)
class Act:
    what: str
    item: int
    target: int
    by: int


@dataclass
class Model:
    """The rule and the use cases, on numbers. A place below zero is the root of an owner."""

    places: list[Place]
    grants: list[Given]
    active: list[bool]
    groups: list[frozenset[int]]
    now: int

    def chain(self, place: int) -> list[int]:
        """The place itself and what is above it, the root last."""
        found = [place]
        while found[-1] >= 0:
            found.append(self.places[found[-1]].above)
        return found

    def owner(self, place: int) -> int:
        return -1 - self.chain(place)[-1]

    def asleep(self, place: int) -> bool:
        return any(one >= 0 and self.places[one].put_away for one in self.chain(place))

    def held(self, person: int, place: int) -> list[tuple[int, int]]:
        """Rank and end of each way by which somebody reaches an awake place."""
        if not self.active[person] or self.asleep(place):
            return []
        owned = [(RANK["owner"], FOREVER)] if self.owner(place) == person else []
        return owned + self.granted(person, place)

    def granted(self, person: int, place: int) -> list[tuple[int, int]]:
        """What grants on it and above it give, whether it sleeps or not."""
        found = []
        for grant in self.grants:
            mine = (
                grant.recipient in self.groups[person]
                if grant.to_group
                else grant.recipient == person
            )
            begun = grant.starts is None or grant.starts <= self.now
            end = FOREVER if grant.expires is None else grant.expires
            live = begun and self.now < end and not grant.revoked
            if mine and live and grant.target in self.chain(place):
                found.append((RANK[grant.level], end))
        return found

    def reaches(self, person: int, place: int, rank: int = 0) -> bool:
        return any(has >= rank for has, _ in self.held(person, place))

    def below(self, place: int) -> list[int]:
        return [n for n in range(len(self.places)) if place in self.chain(n)]

    def removes(self, person: int, place: int) -> bool:
        one = self.places[place]
        if self.reaches(person, place, RANK["manage"]):
            return True
        adds = self.reaches(person, one.above, RANK["add"]) and not one.put_away
        return adds and all(self.places[n].by == person for n in self.below(place))

    def brings_back(self, person: int, place: int) -> bool:
        one = self.places[place]
        if not one.put_away or not self.active[person]:
            return False
        if self.owner(place) == person:
            return True
        if self.asleep(one.above):
            return False
        ranks = [rank for rank, _ in self.granted(person, one.above)]
        adds = any(rank >= RANK["add"] for rank in ranks)
        return RANK["manage"] in ranks or (one.put_away_by == person and adds)

    def covers_both(self, person: int, one: int, other: int) -> bool:
        """Whether one grant to manage does."""
        managing = [grant for grant in self.grants if grant.level == "manage"]
        alone = (replace(self, grants=[grant]) for grant in managing)
        return any(m.granted(person, one) and m.granted(person, other) for m in alone)

    def act(self, act: Act) -> str:
        """Do it, where it is allowed; the name of what is refused otherwise."""
        one = self.places[act.item]
        if act.what == "put away":
            if one.put_away:
                return "nothing"
            if not self.removes(act.by, act.item):
                return "ItemGone"
            one.put_away, one.put_away_by = True, act.by
            return "done"
        if act.what == "restore":
            if not self.brings_back(act.by, act.item):
                return "ItemGone"
            if self.asleep(one.above):
                one.above = self.chain(one.above)[-1]
            one.put_away = False
            return "done"
        return self.move(act, one)

    def move(self, act: Act, one: Place) -> str:
        if self.asleep(act.target):
            return "NoSuchFolder"
        if not self.reaches(act.by, act.item):
            return "ItemGone"
        if self.owner(act.item) == act.by:
            if not self.reaches(act.by, act.target, RANK["add"]):
                return "MayNotAdd"
        elif not self.covers_both(act.by, one.above, act.target):
            return "MayNotMove"
        if one.above == act.target:
            return "done"
        if one.is_folder and act.item in self.chain(act.target):
            return "IntoItself"
        one.above = act.target
        return "done"


@st.composite
def models(draw: st.DrawFn) -> tuple[Model, list[Act]]:
    roots = st.integers(-PEOPLE, -1)
    places: list[Place] = []
    for _ in range(draw(st.integers(1, 5))):
        above = draw(st.integers(0, len(places) - 1) | roots if places else roots)
        away = draw(SELDOM)
        places.append(Place(above, True, draw(st.integers(0, PEOPLE - 1)), away))
    folders = len(places)
    for _ in range(draw(st.integers(1, 3))):
        above = draw(st.integers(0, folders - 1) | roots)
        places.append(Place(above, False, draw(st.integers(0, PEOPLE - 1)), draw(SELDOM)))
    targets = st.integers(0, len(places) - 1)
    moments = st.none() | st.integers(-1, 2)
    grants = draw(
        st.lists(
            st.builds(
                Given,
                targets,
                st.booleans(),
                st.integers(0, 1),
                st.sampled_from(["download", "add", "manage", "manage"]),
                moments,
                moments,
                SELDOM,
            ).filter(
                lambda g: (
                    (g.starts is None or g.expires is None or g.starts < g.expires)
                    and (g.level != "add" or g.target < folders)
                )
            ),
            max_size=5,
        )
    )
    acts = draw(
        st.lists(
            st.builds(
                Act,
                st.sampled_from(["move", "move", "put away", "restore"]),
                targets,
                st.integers(0, folders - 1) | roots,
                st.integers(0, PEOPLE - 1),
            ),
            max_size=5,
        )
    )
    active = draw(st.lists(SELDOM.map(lambda no: not no), min_size=PEOPLE, max_size=PEOPLE))
    groups = st.frozensets(st.integers(0, 1))
    of_each = draw(st.lists(groups, min_size=PEOPLE, max_size=PEOPLE))
    return Model(places, grants, active, of_each, draw(st.integers(-1, 1))), acts


class TheRuleInTrees(TestCase):
    numbers = count()
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    @settings(max_examples=settings().max_examples // 3)
    @given(models())
    def test_every_question_gives_the_same_answer_before_and_after_moves(
        self, drawn: tuple[Model, list[Act]]
    ) -> None:
        model, acts = drawn
        self.build(model)
        with patch("django.utils.timezone.now", return_value=self.at(model.now)):
            self.compare(model)
            for act in acts:
                assert self.do(act) == model.act(act), act
            self.compare(model)
        assert list(derived.out_of_step()) == []

    def at(self, moment: int | None) -> Any:
        return None if moment is None else self.moment + timedelta(microseconds=moment)

    def build(self, model: Model) -> None:
        run = next(self.numbers)
        groups = [Group.objects.create(name=f"trees-{run}-{n}") for n in range(2)]
        self.people = []
        for number in range(PEOPLE):
            user = User.objects.create(
                username=f"trees-{run}-{number}", is_active=model.active[number]
            )
            user.groups.set(groups[g] for g in model.groups[number])
            self.people.append(user)
        self.roots = [placing.root_of(user) for user in self.people]
        self.items: list[FileRecord | Folder] = []
        for number, place in enumerate(model.places):
            self.items.append(self.add(number, place))
        for place, item in zip(model.places, self.items, strict=True):
            if place.put_away:
                placing.leave(item)
                item.trashed_at, item.trashed_by = self.moment, self.people[0]
                item.save(update_fields=["trashed_at", "trashed_by"])
        for grant in model.grants:
            target = self.items[grant.target]
            Grant.objects.create(
                file=None if isinstance(target, Folder) else target,
                folder=target if isinstance(target, Folder) else None,
                user=None if grant.to_group else self.people[grant.recipient],
                group=groups[grant.recipient] if grant.to_group else None,
                level=grant.level,
                starts_at=self.at(grant.starts),
                expires_at=self.at(grant.expires),
                revoked_at=self.moment if grant.revoked else None,
            )

    def add(self, number: int, place: Place) -> FileRecord | Folder:
        above = self.folder(place.above)
        if place.is_folder:
            return placing.add_folder(above, f"item {number}", added_by=self.people[place.by])
        record = filed(
            above.owner,
            name=f"item {number}",
            folder=above,
            uploaded_by=self.people[place.by],
        )
        placing.enter(record, above)
        return record

    def folder(self, number: int) -> Folder:
        if number < 0:
            return self.roots[-1 - number]
        found = self.items[number]
        assert isinstance(found, Folder)
        return Folder.objects.select_related("owner").get(pk=found.pk)

    def item(self, number: int) -> Any:
        return (
            type(self.items[number]).objects.select_related("owner").get(pk=self.items[number].pk)
        )

    def do(self, act: Act) -> str:
        actor = self.people[act.by]
        by = Person(actor)
        try:
            with transaction.atomic():
                if act.what == "put away":
                    changed = trash.put_away(self.item(act.item), by=by, actor=actor)
                    return "done" if changed else "nothing"
                if act.what == "restore":
                    trash.restore(self.item(act.item), by=by, actor=actor)
                else:
                    target = self.folder(act.target)
                    moving.move(self.item(act.item), target, by=by, actor=actor)
        except VaultError as error:
            return type(error).__name__
        return "done"

    def compare(self, model: Model) -> None:
        for number, user in enumerate(self.people):
            who = Person(user)
            files = {n for n, place in enumerate(model.places) if not place.is_folder}
            folders = {n for n, place in enumerate(model.places) if place.is_folder}
            every = folders | {-1 - n for n in range(PEOPLE)}

            def may(among: set[int], rank: str = "download", person: int = number) -> set[int]:
                return {n for n in among if model.reaches(person, n, RANK[rank])}

            assert self.numbered(rule.visible_to(who)) == may(files)
            assert self.numbered(rule.managed_by(who)) == may(files, "manage")
            assert self.numbered(rule.former_visible_to(who)) == may(files, "manage")
            assert self.numbered(rule.folders_visible_to(who)) == may(every)
            assert self.numbered(rule.addable_by(who)) == may(every, "add")
            assert self.numbered(rule.folders_managed_by(who)) == may(folders, "manage")
            assert self.numbered(rule.folders_accounted_to(who)) == may(folders, "manage")
            removes = {n for n in files | folders if model.removes(number, n)}
            assert self.numbered(rule.removable_by(who)) == removes & files
            assert self.numbered(rule.folders_removable_by(who)) == removes & folders
            back = {n for n in files | folders if model.brings_back(number, n)}
            assert self.numbered(rule.trashed_files_of(who)) == back & files
            assert self.numbered(rule.trashed_folders_of(who)) == back & folders
            for place in files | folders:
                self.compare_one(model, number, place)

    def compare_one(self, model: Model, person: int, place: int) -> None:
        found = access_of(Person(self.people[person]), self.item(place))
        held = model.held(person, place)
        assert (found is not None) == bool(held)
        if found is None:
            return
        rank, end = max(held)
        assert RANK[found.level] == rank
        assert found.until == self.at(None if end == FOREVER else end)
        assert found.may_manage == (rank >= RANK["manage"])
        if found.folder is not None:
            assert self.numbered([found.folder]) <= set(model.chain(place)[1:])

    def numbered(self, found: Any) -> set[int]:
        numbers = {item.pk: n for n, item in enumerate(self.items)}
        numbers |= {root.pk: -1 - n for n, root in enumerate(self.roots)}
        return {numbers[one.pk] for one in found if one.pk in numbers}
