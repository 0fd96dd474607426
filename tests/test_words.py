"""Pages, mails, scripts and messages use the words of `docs/words.md`, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NOT_ON_PAGES = re.compile(
    r"\b(?:grant(?:s|ed|ing|ee|ees)?|held|custody|revok(?:e|es|ed|ing)|expir(?:e|es|ed|y)"
    r"|escrow|inherited|(?-i:May))\b",
    re.IGNORECASE,
)
"""Not the verb: “you may not” is English. Not the month either, which comes from formats."""

TEMPLATES = sorted(
    path
    for path in (ROOT / "templates").rglob("*")
    if path.suffix in {".html", ".txt"} and "admin" not in path.relative_to(ROOT).parts
)
SCRIPTS = sorted(
    path for path in (ROOT / "static/js").rglob("*.js") if not path.name.startswith("admin")
)
MODULES = sorted(
    path
    for pattern in (
        *(
            "accounts/*.py",
            "accounts/admin/*.py",
            "accounts/models/*.py",
            "files/errors.py",
            "files/folders/*.py",
            "files/lists/*.py",
        ),
        *("files/records/*.py", "files/sharing/**/*.py", "files/vault/*.py", "files/web/*.py"),
        *("files/web/transfers/*.py", "securestore/error_pages.py", "securestore/middleware.py"),
    )
    for path in ROOT.glob(pattern)
)
OF_THE_ADMINISTRATION = {
    "accounts/admin/changes.py",
    "accounts/admin/entrance.py",
    "accounts/admin/invitations.py",
    "accounts/admin/people.py",
    "accounts/admin/sign_in.py",
    "accounts/admin/tokens.py",
    "accounts/administration.py",
    "accounts/authority.py",
    "files/sharing/effective_access.py",
}
FOR_OTHERS_THAN_PEOPLE = {
    "files/web/transfers/tus/operations.py": "programs, whose field is called `custody`",
    "files/sharing/granting.py": "the administration names a grant by its number",
    "files/lists/shared.py": "an error of the code",
    "files/records/derived.py": "names of columns, for operators",
}


def visible(template: str) -> Iterator[str]:
    """What a person reads or hears of a template: text, some attributes, what is translated."""
    template = re.sub(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", "", template, flags=re.S)
    tag = r"\{%\s*translate\s+(\"[^\"]*\"|'[^']*')[^%]*%\}"
    yield from (match[1][1:-1] for match in re.finditer(tag, template))
    said = r"\{%\s*\w+[^%]*?\b(?:caption|label|title|button|when|who|note|of)=\"([^\"]*)\"[^%]*%\}"
    yield from (match[1] for match in re.finditer(said, template))
    rest = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", template, flags=re.S)
    told = r"\b(?:title|alt|placeholder|aria-label|aria-description)=\"([^\"]*)\""
    yield from (match[1] for match in re.finditer(told, rest))
    without = re.sub(r"<(script|style)\b.*?</\1>", " ", rest, flags=re.S)
    yield from (text for text in re.split(r"<[^<>]*>", without) if text.strip())


def phrases(module: str) -> Iterator[tuple[int, str]]:
    """The texts of a module that are more than a name, but for its documentation and its log."""
    tree = ast.parse(module)
    silent: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        if isinstance(node, ast.Call) and "logger" in ast.unparse(node.func):
            silent.update(ast.walk(node))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node in silent:
            continue
        if isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def strings(script: str) -> Iterator[str]:
    """The texts of a script that are more than a name."""
    script = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", script, flags=re.S | re.M)
    for match in re.finditer(r"\"([^\"\n]*)\"|`([^`]*)`", script):
        text = match[1] or match[2] or ""
        if " " in text.strip():
            yield text


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_templates_use_the_words_of_pages(path: Path) -> None:
    wrong = [text.strip() for text in visible(path.read_text()) if NOT_ON_PAGES.search(text)]
    assert not wrong, "docs/words.md has the word for it"


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_scripts_use_the_words_of_pages(path: Path) -> None:
    wrong = [text for text in strings(path.read_text()) if NOT_ON_PAGES.search(text)]
    assert not wrong, "docs/words.md has the word for it"


def test_messages_use_the_words_of_pages() -> None:
    wrong = [
        (f"{named(path)}:{line}", text)
        for path in MODULES
        if named(path) not in {*OF_THE_ADMINISTRATION, *FOR_OTHERS_THAN_PEOPLE}
        for line, text in phrases(path.read_text())
        if NOT_ON_PAGES.search(text)
    ]
    assert not wrong, "docs/words.md has the word for it"


def test_what_is_looked_for_is_found() -> None:
    """The test sees what people see, and nothing else."""
    assert len(TEMPLATES) > 40
    assert len(SCRIPTS) > 3
    assert len(MODULES) > 60
    template = (
        '{% include "a" with grants=held caption="Grants" %}{# custody #}<p class="custody">'
        'You were {{ held }} granted</p><i title="held">x</i>{% translate "revoke" %}<b>You may</b>'
    )
    found = [text for text in visible(template) if NOT_ON_PAGES.search(text)]
    assert sorted(text.split()[-1] for text in found) == ["Grants", "granted", "held", "revoke"]
    assert NOT_ON_PAGES.search("May")
    module = (
        '"""A grant is."""\nraise Refused(f"no grant of {held}")\nlogger.info("a grant here")\n'
    )
    assert list(phrases(module)) == [(2, "no grant of ")]
    script = '// "a grant here"\nsay("held by you"); name = "held";'
    assert list(strings(script)) == ["held by you"]


def test_every_word_that_is_not_to_be_used_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs/words.md").read_text()
    last = " ".join(
        row.rsplit("|", 2)[1] for row in glossary.splitlines() if row.startswith("| **")
    )
    for word in ("grant", "granted", "held", "custody", "revoke", "May", "expires", "escrow"):
        assert re.search(rf"\b{word}\b", last), word
        assert NOT_ON_PAGES.search(word)
