"""Catalogues of messages: found in the source, kept in `locale/`, compiled beside them.

Babel does it, so that nothing but Python is needed, and only to develop: the compiled ones are
committed, and a site reads no others. What Django and allauth say is in catalogues of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "locale"
LANGUAGES = tuple(code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE)
DOMAINS = ("django", "djangojs")
PACKAGES = ("accounts", "audit", "files", "notices", "runtime", "securestore")

KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(("_", "say", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
IN_SCRIPTS = {name: KEYWORDS[name] for name in ("gettext", "ngettext", "pgettext", "npgettext")}
# A catalogue tells when it changed by its history alone.
ALWAYS = datetime(2026, 11, 30, tzinfo=UTC)
MARK = "Translators:"


def source(domain: str) -> list[Path]:
    """The files whose words stand in a catalogue: modules and templates, or scripts."""
    if domain == "djangojs":
        return sorted((ROOT / "static/js").rglob("*.js"))
    modules = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    templates = [
        path for path in (ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"}
    ]
    return sorted(path for path in modules if "migrations" not in path.parts) + sorted(templates)


def messages_of(path: Path) -> Iterator[tuple[int, Any, list[str], str | None]]:
    """The messages of one file: line, message or forms of a plural, comments, context."""
    text = path.read_text()
    method, keywords = "python", KEYWORDS
    if path.suffix == ".js":
        method, keywords = "javascript", IN_SCRIPTS
    if path.suffix in {".html", ".txt"}:
        # Python, but for its indentation.
        python = templatize(text, origin=str(path))
        text = "\n".join(line.strip() for line in python.splitlines())
    yield from extract(method, BytesIO(text.encode()), keywords, [MARK])


def fresh(domain: str) -> Catalog:
    """A catalogue of all messages that the source has now, without translations."""
    catalog = Catalog(domain=domain)
    for path in source(domain):
        named = path.relative_to(ROOT).as_posix()
        for _, message, comments, context in messages_of(path):
            catalog.add(message, None, [(named, 1)], auto_comments=comments, context=context)
    return catalog


def stored(language: str, domain: str, suffix: str = ".po") -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"{domain}{suffix}"


def read(language: str, domain: str) -> Catalog:
    """The catalogue as it is committed; an empty one where there is none yet."""
    path = stored(language, domain)
    if not path.exists():
        catalog = Catalog(locale=language, domain=domain)
        # As Django's own catalogues have it, which one is merged with: Babel tells French millions
        # apart.
        several = "n > 1" if language == "fr" else "n != 1"
        catalog.mime_headers = [("Plural-Forms", f"nplurals=2; plural=({several});")]
        return catalog
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=domain, abort_invalid=True)


def compiled(language: str, domain: str) -> Catalog:
    """What a site reads. Raises FileNotFoundError."""
    with stored(language, domain, ".mo").open("rb") as file:
        return read_mo(file)


def renew(language: str, domain: str, found: Catalog) -> list[Any]:
    """Bring a catalogue up to the source, write and compile it; what is to be translated."""
    catalog = read(language, domain)
    # Never a guess by likeness: a wrong sentence is worse than an English one.
    catalog.update(found, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.project, catalog.version = "Securestore", ""
    catalog.header_comment = f"# Securestore: {language}. `make messages` keeps it."
    catalog.creation_date = catalog.revision_date = ALWAYS
    catalog.fuzzy = False
    path = stored(language, domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        # Without lines, which would change with every change above them.
        write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
    with stored(language, domain, ".mo").open("wb") as file:
        write_mo(file, catalog)
    return [message.id for message in catalog if message.id and not is_whole(message)]


def forms(words: Any) -> tuple[str, ...]:
    """A message or its translation as its forms: one, or those of a plural."""
    return (words,) if isinstance(words, str) else tuple(words or ())


def is_whole(message: Any) -> bool:
    """Whether a message is translated, in every form of its plural, and nobody doubts it."""
    return bool(message.string) and all(forms(message.string)) and not message.fuzzy


PLACEHOLDER = re.compile(
    r"%\(\w+\)[sd]|%[sd]|\{\w*(?:[.!:][^{}]*)?\}|</?[a-z]+\b|https?://\S+|&\w+;|\bhref=\"[^\"]*\""
)


def placeholders(words: str) -> frozenset[str]:
    """What a translation must have as the message has it: values, elements, addresses."""
    return frozenset(PLACEHOLDER.findall(words))


def amiss(message: Any) -> str:
    """What is wrong with a translation, for who has to mend it; empty where nothing is."""
    if not is_whole(message):
        return "not translated"
    allowed = frozenset().union(*map(placeholders, forms(message.id)))
    # One is “a file” in some languages, and its number is not said; all others say everything.
    needed = placeholders(forms(message.id)[-1])
    for number, words in enumerate(forms(message.string)):
        has = placeholders(words)
        if has - allowed:
            return f"has what the message has not: {sorted(has - allowed)}"
        singular = isinstance(message.id, tuple) and number == 0
        lacks = (placeholders(message.id[0]) if singular else needed) - has
        if lacks:
            return f"lacks {sorted(lacks)}"
        if words.endswith("\n") != forms(message.id)[0].endswith("\n"):
            return "ends otherwise"
    return ""


def all_pairs() -> Iterable[tuple[str, str]]:
    return [(language, domain) for language in LANGUAGES for domain in DOMAINS]
