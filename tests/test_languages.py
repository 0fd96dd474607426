"""Every string that people see is in a catalogue, and German and French have all of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from tests.languages import bypassing, catalogues
from tests.languages.catalogues import ROOT

NOT_FOR_PEOPLE = tomllib.loads(
    Path(__file__).with_name("languages").joinpath("not_for_people.toml").read_text()
)
MODULES = tuple(NOT_FOR_PEOPLE["modules"])
TEXTS = {(entry["file"], text) for entry in NOT_FOR_PEOPLE["texts"] for text in entry["texts"]}
FILES = [*catalogues.source("django"), *catalogues.source("djangojs")]
FRAME = sorted((ROOT / "static/viewer").glob("*.js"))
"""The scripts of the viewer's frame, which has no catalogue: the page around it has the words."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def found_in(path: Path) -> Iterator[tuple[int, str]]:
    match path.suffix:
        case ".py":
            return bypassing.in_module(path.read_text())
        case ".js":
            return bypassing.in_script(path.read_text())
    return bypassing.in_template(path.read_text(), is_html=path.suffix == ".html")


def is_for_people(path: Path) -> bool:
    return not any(
        named(path) == one or (one.endswith("/") and named(path).startswith(one)) for one in MODULES
    )


def test_no_string_bypasses_gettext() -> None:
    wrong = [
        (f"{named(path)}:{line}", text)
        for path in (*FILES, *FRAME)
        if is_for_people(path)
        for line, text in found_in(path)
        if (named(path), text) not in TEXTS
    ]
    assert not wrong, "give it to gettext, or name it in tests/languages/not_for_people.toml"


def test_what_is_looked_through_is_there() -> None:
    assert len(FILES) > 300
    assert len(FRAME) > 5
    for name in (*MODULES, *(file for file, _ in TEXTS)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("<p>Hello {{ name }}</p>", ["Hello \0"]),
        ('<p>{% translate "Hello" %}</p>', []),
        ("<p>{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}</p>", []),
        ('<img alt="A picture"><i title="{{ name }}"></i>', ["A picture"]),
        ('<i aria-label="Pages" class="Pages" data-name="Pages" data-said="Not now"></i>', None),
        ('<input type="submit" value="Send"><input type="hidden" value="Send it">', ["Send"]),
        ('{% include "a.html" with label="Your name" when=now %}', ["Your name"]),
        ('{% include "a.html" with label=_("Your name") here="files/list" %}', []),
        ("{{ name|default:'Nobody here' }}{{ day|date:\"j M Y, H:i\" }}", ["Nobody here"]),
        ("{% if a == 'Some state' %}{# A comment #}{% endif %}", []),
        ("<script>Not shown</script><style>Not shown</style>Securestore", []),
        ("{% block width %}narrow{% endblock %}{% block title %}Files{% endblock %}", ["Files"]),
    ],
)
def test_a_planted_string_of_a_template_is_noticed(template: str, words: list[str] | None) -> None:
    found = [text for _, text in bypassing.in_template(template)]
    assert found == (["Pages", "Not now"] if words is None else words)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ('raise Refused("Not for you.")', ["Not for you."]),
        ('raise Refused(_("Not for you."))', []),
        ('raise Refused(gettext("It has %(n)s.") % {"n": 1})', []),
        ('say(ngettext("One file.", "%(n)s files.", 3))', []),
        ('messages.success(request, f"Stored {n} of them.")', ["Stored ", " of them."]),
        ('messages.error(request, "Stopped")', ["Stopped"]),
        ('field = CharField(label="Name", max_length=3)', ["Name"]),
        ('class A:\n    short_description = "Status"', ["Status"]),
        ('size = models.IntegerField("bytes", null=True)', ["bytes"]),
        ('class A(TextChoices):\n    ON = "on", "Switched"', ["Switched"]),
        ('"""A module."""\n\ndef f():\n    "Says so."\n    x = "name"', []),
        ('log.info("it is so")\nlogger.error("it is %s so", x)', []),
        ("format_html('<a href=\"{}\"><bdi>{}</bdi></a>')", []),
    ],
)
def test_a_planted_string_of_a_module_is_noticed(module: str, words: list[str]) -> None:
    assert sorted(text for _, text in bypassing.in_module(module)) == sorted(words)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('button.textContent = "Stop";', ["Stop"]),
        ('button.textContent = gettext("Stop");', []),
        ('row.complain("It is too large.");', ["It is too large."]),
        ('row.complain(fill(gettext("It is %(size)s."), { size }));', []),
        ('bar.setAttribute("aria-label", "Progress");', ["Progress"]),
        ("announce(`${name} was stored.`);", ["\0 was stored."]),
        ('announce(ngettext("%(n)s file", "%(n)s files", n));', []),
        ('list.querySelector("td.pick input"); throw new Error("no such row here");', []),
        ('// It is so.\nconst name = "held";', []),
    ],
)
def test_a_planted_string_of_a_script_is_noticed(script: str, words: list[str]) -> None:
    assert [text for _, text in bypassing.in_script(script)] == words


# While several people work at once, whoever adds a message need not be who translates it.
@pytest.mark.integration
@pytest.mark.parametrize("domain", catalogues.DOMAINS)
@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_every_message_is_translated(language: str, domain: str) -> None:
    """Not empty, not doubtful, each form of its plural, with the same values and elements in it."""
    kept = {(message.id, message.context): message for message in catalogues.read(language, domain)}
    wanted = [message for message in catalogues.fresh(domain) if message.id]
    assert len(wanted) > 40
    missing = [message.id for message in wanted if (message.id, message.context) not in kept]
    assert not missing, "make messages, then translate them"
    wrong = {
        message.id: what
        for message in kept.values()
        if message.id and (what := catalogues.amiss(message))
    }
    assert not wrong, "make messages says the same"


@pytest.mark.parametrize(
    ("message", "translation", "amiss"),
    [
        ("%(n)s files", "%(n)s Dateien", ""),
        ("%(n)s files", "", "not translated"),
        ("%(n)s files", "Dateien", "lacks"),
        ("%(n)s files", "%(m)s Dateien", "has what the message has not"),
        ("{n} files", "{n} Dateien", ""),
        ("{n} files", "Dateien", "lacks"),
        ("<b>all</b>", "<b>alle</b>", ""),
        ("<b>all</b>", "alle", "lacks"),
        ('<a href="%(url)s">it</a>', '<a href="">es</a>', "has what"),
        (("One file", "%(n)s files"), ("Eine Datei", "%(n)s Dateien"), ""),
        (("One file", "%(n)s files"), ("Eine Datei", ""), "not translated"),
        (("One file", "%(n)s files"), ("Eine Datei", "Dateien"), "lacks"),
        ("It is so.\n", "So ist es.", "ends otherwise"),
    ],
)
def test_what_is_amiss_with_a_translation_is_noticed(
    message: str | tuple[str, ...], translation: str | tuple[str, ...], amiss: str
) -> None:
    catalog = Catalog(locale="de")
    entry = catalog.add(message, translation)
    assert catalogues.amiss(entry).startswith(amiss)
    assert bool(catalogues.amiss(entry)) == bool(amiss)
    entry.flags.add("fuzzy")
    assert catalogues.amiss(entry) == "not translated"


@pytest.mark.parametrize("domain", catalogues.DOMAINS)
@pytest.mark.parametrize("language", catalogues.LANGUAGES)
def test_what_a_site_reads_is_what_was_translated(language: str, domain: str) -> None:
    def told(catalog: Catalog) -> dict[object, object]:
        return {
            (catalogues.forms(message.id), message.context): catalogues.forms(message.string)
            for message in catalog
            if message.id and catalogues.is_whole(message)
        }

    written, compiled = catalogues.read(language, domain), catalogues.compiled(language, domain)
    assert told(compiled) == told(written), "make messages compiles them"
    assert compiled.plural_expr == written.plural_expr
