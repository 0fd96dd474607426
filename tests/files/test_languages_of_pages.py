"""The pages in German and French: all of them answer, and nothing on them is English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from files.models import FileRecord, Folder
from files.tree import placing
from tests.files.conftest import Store, give
from tests.files.doors import DOORS, FILE, FOLDER, GRANT, NO_FILE, address
from tests.languages import catalogues
from tests.languages.bypassing import SAID, WORD

ENGLISH = re.compile(
    r"\b(?:the|of|and|your|you|with|this|that|are|from|been|have|has|they|their|there|only"
    r"|which|would|should|could|before|after|again|without|file|folder|files|folders|until)\b",
    re.IGNORECASE,
)
"""Words that are in no sentence of German or French."""

UNTRANSLATED = (
    "Can download files",  # Names of permissions are rows of the database.
    "from, to",
)
SAME_FOR_ALL = {
    "files:viewer",  # The frame's document: the page around it has the words.
    "jsi18n",
    "admin:jsi18n",
    "healthz",
    "readyz",
    "mfa_download_recovery_codes",
}


class Visible(HTMLParser):
    """What a person reads or hears of a page, but for code and names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "code", "bdi", "pre", "template"}:
            self.inside.append(tag)
        told = dict(attrs)
        # A name of a language in its own words, and of a permission, which is a row.
        if tag == "option" and "value" in told:
            self.inside.append(tag)
        self.found += [value for name, value in attrs if name in SAID and value]

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside and WORD.search(data):
            self.found.append(" ".join(data.split()))


def visible(html: str) -> list[str]:
    reader = Visible()
    reader.feed(html)
    reader.close()
    return reader.found


@cache
def english_of(language: str) -> frozenset[str]:
    """The messages that this language says otherwise; those with values in them as they begin."""
    found = set()
    for message in catalogues.read(language, "django"):
        for said, meant in zip(
            catalogues.forms(message.id), catalogues.forms(message.string), strict=False
        ):
            if said and said != meant and not catalogues.placeholders(said):
                found.add(said)
    # A word that another message of that language has as well.
    return frozenset(
        found - {w for m in catalogues.read(language, "django") for w in catalogues.forms(m.string)}
    )


def wrong_on(page: str, language: str) -> list[str]:
    english = english_of(language)
    return [
        text
        for text in visible(page)
        if text.strip(" .:") in english
        or text in english
        or (len(found := ENGLISH.findall(text)) > 1 and text not in UNTRANSLATED and found)
    ]


def addresses(record: FileRecord, folder: Folder, grant: object, user: User) -> Iterator[str]:
    """Every page that is got by an address alone."""
    ids = {FILE: record.pk, FOLDER: folder.pk, GRANT: grant}
    for name, doors in DOORS.items():
        for door in doors:
            if door.method == "GET" and door.takes in ids and not door.named_by:
                yield address(name, ids[door.takes])
    for name in NO_FILE:
        if name not in SAME_FOR_ALL:
            yield address(name, user.pk)
    yield from ("/nothing/here/", "/files/?q=zzz", "/files/?q=fox", "/admin/files/grant/?q=zzz")


@pytest.mark.integration  # It knocks at every door.
@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_no_page_is_english(
    client: Client, root: User, bob: User, store: Store, language: str
) -> None:
    """As somebody who may see all: an owner, and a superuser with things of their own."""
    root.user_permissions.set(Permission.objects.all())
    User.objects.filter(pk=root.pk).update(language=language, quota=10**9)
    record = store(root)
    folder = placing.add_folder(placing.root_of(root), "Zzz", added_by=root)
    grant = give(record, bob)
    give(folder, Group.objects.get())
    client.force_login(root)
    looked_at, wrong = 0, {}
    for path in addresses(record, folder, grant.pk, root):
        # One may end the session.
        if "logout" in path:
            continue
        answer = client.get(path, headers={"Accept-Language": language})
        if not answer["Content-Type"].startswith("text/html") or answer.status_code in {301, 302}:
            continue
        assert answer.status_code < 500, path
        looked_at += 1
        assert f'<html lang="{language}"' in answer.text, path
        if found := wrong_on(answer.text, language):
            wrong[path] = found
    assert looked_at > 60
    assert not wrong, "\n".join(f"{path}: {found}" for path, found in wrong.items())


@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_no_page_of_a_stranger_is_english(client: Client, db: None, language: str) -> None:
    looked_at, wrong = 0, {}
    for name in (name for name in NO_FILE if name not in SAME_FOR_ALL):
        answer = client.get(address(name), headers={"Accept-Language": language})
        if answer.get("Content-Type", "").startswith("text/html") and answer.status_code != 302:
            looked_at += 1
            assert answer["Content-Language"] == language
            assert "Accept-Language" in answer["Vary"]
            if found := wrong_on(answer.text, language):
                wrong[name] = found
    assert looked_at > 5
    assert not wrong, "\n".join(f"{path}: {found}" for path, found in wrong.items())


def test_english_on_a_page_is_noticed() -> None:
    assert wrong_on("<p>Gut.</p><h1>Nobody is called so.</h1>", "de") == ["Nobody is called so."]
    assert wrong_on("<p>It is of the world and here.</p>", "de")
    assert wrong_on('<p title="Trash">Papierkorb</p>', "de") == ["Trash"]
    assert not wrong_on("<p>Dateien <code>of the and</code><bdi>of the</bdi></p>", "de")
