"""What folders cost where there are very many: questions of access, and changes of whole trees.

On a database of `benchmarks.population`, without a page around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Figure, seconds

if TYPE_CHECKING:
    from benchmarks.population import Population

Question = Callable[["Population"], Callable[[], object]]


def _person(pk: int) -> Any:
    from accounts.models import User
    from files.access.principals import Person

    return Person(User.objects.get(pk=pk))


def _reaches(who: str, what: str) -> Question:
    def of(population: Population) -> Callable[[], object]:
        from files.access import explaining, rule
        from files.models import FileRecord

        person = _person(getattr(population, who))
        if what == "a file":
            record = FileRecord.objects.get(pk=population.oldest)

            def ask() -> None:
                explaining.access_of(person, record)
                rule.visible_to(person).filter(pk=record.pk).first()
                rule.managed_by(person).filter(pk=record.pk).first()
                rule.removable_by(person).filter(pk=record.pk).first()

            return ask
        folder = _folder(getattr(population, what))

        def ask_of_folder() -> None:
            explaining.access_of(person, folder)
            rule.folders_visible_to(person).filter(pk=folder.pk).first()
            rule.addable_by(person).filter(pk=folder.pk).first()
            rule.folders_managed_by(person).filter(pk=folder.pk).first()

        return ask_of_folder

    return of


def _folder(pk: Any) -> Any:
    from files.models import Folder

    return Folder.objects.select_related("owner").get(pk=pk)


def _covered(population: Population) -> Callable[[], object]:
    from files.access import rule

    joiner = _person(population.joiner)
    tree, deepest = _folder(population.tree), _folder(population.deepest)
    return lambda: rule.covered_by_one_grant(joiner, tree, deepest)


def _explained(population: Population) -> Callable[[], object]:
    from django.utils import timezone

    from files.models import FileRecord
    from files.sharing.effective_access import explain_readers, readers

    record = FileRecord.objects.get(pk=population.oldest)

    def ask() -> None:
        people = readers(record).order_by("username")[:50]
        explain_readers(record, people, now=timezone.now(), live=True)

    return ask


QUESTIONS: dict[str, Question] = {
    "A file, of the owner": _reaches("owner", "a file"),
    "A file, of who is in 150 groups": _reaches("joiner", "a file"),
    "A file 32 deep, by the top one": _reaches("guest", "a file"),
    "A folder of a fifth of all files": _reaches("owner", "big"),
    "A folder 32 deep, by the top one": _reaches("guest", "deepest"),
    "A folder, of who is in 150 groups": _reaches("joiner", "deepest"),
    "A folder granted very often": _reaches("joiner", "granted"),
    "One grant over two folders": _covered,
    "Who reads a file": _explained,
}


def changes(population: Population, database: str) -> Iterator[Figure]:
    """Seconds of one change of a whole tree: within one owner, into the trash, to another."""
    from accounts.models import User
    from files.access.principals import Person
    from files.folders import moving, ownership, trash
    from files.tree import placing

    owner = User.objects.get(pk=population.owner)
    newcomer = User.objects.get(pk=population.newcomer)
    by, files = Person(owner), placing.counts_below(_folder(population.tree))[0]

    def bounded(name: str, bound: float | None, work: Callable[[], object]) -> Figure:
        taken = [seconds(work)]
        told = f"{name}, {files:,} files, {database}"
        if bound is None:
            return Figure(told, "s", taken)
        return Figure(told, "s", taken, "the bound", [bound], 1, at_most=True)

    def move(into: Any) -> Callable[[], object]:
        tree, target = _folder(population.tree), _folder(into)
        return lambda: moving.move(tree, target, by=by, actor=owner)

    yield bounded("Move within one owner", 2, move(population.big))
    yield bounded("Move back", 2, move(population.root))
    tree = _folder(population.tree)
    yield bounded("Put away", 1, lambda: trash.put_away(tree, by=by, actor=owner))
    tree = _folder(population.tree)
    yield bounded("Restore", 1, lambda: trash.restore(tree, by=by, actor=owner))
    tree = _folder(population.tree)
    root = User.objects.create(username="handing over", is_superuser=True)
    yield bounded(
        "To another owner", None, lambda: ownership.transfer_tree(tree, to=newcomer, actor=root)
    )
