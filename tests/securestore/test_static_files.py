"""Collected static files: named by their content, wherever they are named."""

from __future__ import annotations

import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import override_settings
from pytest_django import Settings

HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")
IMPORTED = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""")


def test_modules_import_each_other_by_the_names_of_their_content(
    tmp_path: Path, settings: Settings
) -> None:
    storages = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "securestore.static_files.StaticFiles"},
    }
    here = Path(settings.BASE_DIR) / "static"
    with override_settings(
        STORAGES=storages,
        STATIC_ROOT=tmp_path,
        STATICFILES_DIRS=[(name, str(here / name)) for name in ("js", "css", "img")],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):
        call_command("collectstatic", "--noinput", verbosity=0)
        entry = staticfiles_storage.url("js/upload/entry.js")
    assert HASHED.search(entry)
    seen: set[Path] = set()
    wanted = [tmp_path / entry.removeprefix("/static/")]
    while wanted:
        module = wanted.pop()
        if module in seen:
            continue
        seen.add(module)
        found = IMPORTED.findall(module.read_text())
        assert all(HASHED.search(name) for name in found), found
        wanted += [(module.parent / name).resolve() for name in found]
    assert {re.sub(HASHED, ".js", module.name) for module in seen} >= {
        *("entry.js", "main.js", "transfer.js", "words.js", "chain.js", "keys.js"),
    }


def test_what_templates_name_is_there(settings: Settings) -> None:
    """A name that is not is an error 500 in a deployment, and none in a test of the page."""
    made = ("vendor/", "client/")  # By make.
    named = {
        (path.name, name)
        for path in (Path(settings.BASE_DIR) / "templates").rglob("*.html")
        for name in re.findall(r"""static ["']([^"']+)["']""", path.read_text())
        if not name.startswith(made)
    }
    assert len(named) > 20
    assert {one for one in named if finders.find(one[1]) is None} == set()
