"""What has to agree with one another in the database: log, access, index, folders, names.

Must never mend anything: it says what differs, and what does mend it.
"""

from __future__ import annotations

from collections.abc import Iterator

from accounts import accounting as powers
from accounts import finding
from audit import triggers
from files.records import derived
from files.upkeep import accounting
from runtime.findings import Level, Line

NAMED = 3
"""Things of a kind that a line names."""


def check_audit_log() -> Iterator[Line]:
    """Would the database refuse to change an event?"""
    missing = sorted(triggers.missing())
    if missing:
        said = f"triggers are missing or off: {', '.join(missing)}."
        remedy = "Run `manage.py migrate audit 0001` and `manage.py migrate`; then `verify_audit`."
        yield Line(Level.FAIL, "audit log", said, remedy)
        return
    yield Line(Level.OK, "audit log", "the triggers that keep it append-only are there.")


def check_foreign() -> Iterator[Line]:
    """Does the database run anything that is not ours?"""
    if found := triggers.foreign():
        said = f"it runs what is not ours: {'; '.join(found[:NAMED])}."
        remedy = "Find out who put it there, remove it, and run `verify_audit`."
        yield Line(Level.FAIL, "foreign triggers", said, remedy)
        return
    yield Line(Level.OK, "foreign triggers", "the database runs nothing but what is ours.")


def check_accounts() -> Iterator[Line]:
    """Do grants, owners, places and powers follow from the log?"""
    found = [*powers.differences(), *accounting.differences()]
    if found:
        said = f"{len(found)} do not follow from the log: {'; '.join(found[:NAMED])}."
        remedy = "Somebody wrote to the database past the vault: run `verify_audit`."
        yield Line(Level.FAIL, "accounting", said, remedy)
        return
    said = "grants, owners, places and powers are what the events made them."
    yield Line(Level.OK, "accounting", said)


def check_upkeep() -> Iterator[Line]:
    """Does the database keep the index of names, and what people store, in step?"""
    part = "search index"
    remedy = "Run `manage.py migrate files 0021` and `manage.py migrate`, which make it anew."
    if missing := sorted(derived.missing()):
        said = f"missing or off: {', '.join(missing)}."
        yield Line(Level.FAIL, part, said, remedy)
    elif differing := [f"{what} ({number})" for what, number in derived.kept_out_of_step()]:
        yield Line(Level.FAIL, part, f"out of step: {', '.join(differing)}.", remedy)
    else:
        said = "names, places and what people store are in step with the files."
        yield Line(Level.OK, part, said)


def check_tree() -> Iterator[Line]:
    """Do folders, their files, owners and names agree with one another?"""
    if differing := [f"{what} ({number})" for what, number in derived.tree_out_of_step()]:
        said = f"not in agreement: {', '.join(differing)}."
        remedy = (
            "Nothing guesses which of them is right: run `verify_audit`, which holds each place "
            "against the log, and restore the last backup of which `doctor` says nothing here."
        )
        yield Line(Level.FAIL, "folders", said, remedy)
        return
    yield Line(Level.OK, "folders", "what stands in which folder, and whose it is, is in step.")


def check_names_of_people() -> Iterator[Line]:
    """Is everybody found by the names that they have?"""
    part = "names of people"
    if number := finding.out_of_step():
        said = f"{number} people and groups are not found by their names."
        yield Line(Level.WARN, part, said, "Run `manage.py sweep`, which sees to it.")
        return
    yield Line(Level.OK, part, "people and groups are found by the names that they have.")
