"""What people would read in English whatever their language: words that no gettext has seen.

Each function gives the words of one file that bypass it, with their lines. What looks like words
and is none is named in `tests/languages/not_for_people.toml`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

from django.template.base import DebugLexer, TokenType

from tests.languages.catalogues import IN_SCRIPTS, KEYWORDS

Found = Iterator[tuple[int, str]]

WORD = re.compile(r"[^\W\d_]{2,}")
VALUE = "\x00"
SAID = {"title", "alt", "placeholder", "label", "aria-label", "aria-description", "aria-valuetext"}
"""Attributes that people read or hear. `value` is one where it is on a button."""
PARAMETER = re.compile(r"(?:[\w-]+=|\|\w+:)(?P<quote>[\"'])(?P<text>.*?)(?P=quote)")
NO_WORDS = re.compile(r"[a-z0-9_./:#%-]*|[A-Za-z: ,-]{1,2}")
"""What a parameter of a tag may be: a name, an address."""
FORMATS = {"date", "time", "unlocalize", "join", "slice", "add", "cut", "yesno"}
CLASSES = {"width", "bodyclass", "coltype"}
"""Blocks of templates that hold names of styles."""
NAMES = {"Securestore", "SHA-256", "· Securestore"}
"""The same in every language."""


# --- Templates ----------------------------------------------------------------------------------


class _Read(HTMLParser):
    """Collects what is read of a page: text, and attributes that are said."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style"}:
            self.silent += 1
        given = dict(attrs)
        shown = tag == "input" and given.get("type") in {"submit", "button", "reset"}
        for name, value in attrs:
            is_phrase = name.startswith("data-") and " " in (value or "").strip()
            if value and (name in SAID or is_phrase or (name == "value" and shown)):
                self.found.append((self.getpos()[0], value))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append((self.getpos()[0], data))


def in_template(text: str, *, is_html: bool = True) -> Found:
    """The words of a template that no `translate` has, and those in parameters of tags."""
    rest: list[str] = []
    until: list[str] = []
    for token in DebugLexer(text).tokenize():
        name = token.contents.split()[0] if token.contents.split() else ""
        start, end = token.position or (0, 0)
        lines = "\n" * text[start:end].count("\n")
        if token.token_type == TokenType.BLOCK and name in {"blocktranslate", "blocktrans"}:
            until = [f"end{name}"]
        elif token.token_type == TokenType.BLOCK and name == "comment":
            until = ["endcomment"]
        elif token.token_type == TokenType.BLOCK and token.contents.split()[-1] in CLASSES:
            until = ["endblock"]
        elif token.token_type == TokenType.BLOCK and until and name == until[-1]:
            until.pop()
        elif until:
            pass
        elif token.token_type == TokenType.TEXT:
            rest.append(token.contents)
            continue
        elif token.token_type in {TokenType.BLOCK, TokenType.VAR} and name not in _NAMES_ONLY:
            yield from ((token.lineno or 0, words) for words in _parameters(token.contents))
        rest.append((VALUE if token.token_type == TokenType.VAR else "") + lines)
    if is_html:
        reader = _Read()
        reader.feed("".join(rest))
        reader.close()
        read = reader.found
    else:
        read = list(enumerate("".join(rest).splitlines(), 1))
    for line, words in read:
        if WORD.search(words) and words.strip() not in NAMES:
            yield line, words.strip()


_NAMES_ONLY = {"url", "static", "load", "extends", "translate", "trans", "if", "elif", "ifchanged"}


def _parameters(tag: str) -> Iterator[str]:
    for match in PARAMETER.finditer(tag):
        text = match["text"]
        if match[0].split(":")[0].lstrip("|") in FORMATS:
            continue
        if WORD.search(text) and not NO_WORDS.fullmatch(text):
            yield text


# --- Modules ------------------------------------------------------------------------------------

SAYS = {
    *("label", "help_text", "verbose_name", "verbose_name_plural", "short_description", "title"),
    *("description", "empty_label", "empty_value_display", "site_header", "site_title", "button"),
    *("index_title", "label_suffix", "placeholder", "heading"),
}
"""Parameters and attributes whose text is shown, even if it is one word."""
TELLS = {"success", "info", "warning", "error", "add_message", "ValidationError"}
NO_SENTENCE = re.compile(
    r"[\w/-]+; .*|default-src .*|.*no-store|Bearer .*|.*max-age=|\"; filename.*"
)
"""Headers of HTTP."""
SILENT = {"logger", "log", "re", "cursor", "warnings"}


def in_module(text: str) -> Found:
    """The texts of a module that are words, and no documentation, pattern, log or translation."""
    tree = ast.parse(text)
    passed: set[ast.AST] = set()
    shown: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(node.value)
        elif isinstance(node, ast.Call):
            named, owner = _called(node)
            if named in KEYWORDS or owner in SILENT:
                passed.update(each for part in node.args for each in ast.walk(part))
            if named in TELLS:
                shown.update(node.args)
            elif owner == "models" and named.endswith("Field"):
                shown.update(node.args[:1])
            shown.update(one.value for one in node.keywords if one.arg in SAYS)
        elif isinstance(node, ast.Assign):
            names = {ast.unparse(one).rsplit(".", 1)[-1] for one in node.targets}
            if names & SAYS:
                shown.add(node.value)
        elif isinstance(node, ast.ClassDef) and _is_choice(node):
            shown.update(
                one.value.elts[1]
                for one in node.body
                if isinstance(one, ast.Assign) and isinstance(one.value, ast.Tuple)
            )
    shown.update(
        part for one in shown.copy() if isinstance(one, ast.JoinedStr) for part in one.values
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed:
            is_phrase = _is_phrase(node.value)
            if is_phrase or (node in shown and WORD.search(node.value)):
                yield node.lineno, node.value


def _is_phrase(text: str) -> bool:
    """More than one word, of text and not of HTML or HTTP."""
    text = re.sub(r"<[^<>]*>", " ", text).strip()
    return (
        " " in text
        and not text.startswith("/")
        and len(WORD.findall(text)) > 1
        and not NO_SENTENCE.fullmatch(text)
    )


def _called(node: ast.Call) -> tuple[str, str]:
    """What is called, and of what: `("warning", "logger")`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr, ast.unparse(node.func.value).rsplit(".", 1)[-1]
    return ast.unparse(node.func), ""


def _is_choice(node: ast.ClassDef) -> bool:
    return any("Choices" in ast.unparse(base) for base in node.bases)


# --- Scripts ------------------------------------------------------------------------------------

SETS = {"textContent", "title", "innerText", "placeholder", "label", "alt", "ariaLabel"}
ADDRESSES = {"querySelector", "querySelectorAll", "closest", "matches", "addEventListener", "on"}
SELECTOR = re.compile(r"\[[\w-]+[\]^$*=]")
TOLD = {"announce", "note", "complain", "alert", "confirm", "news"}


class Token(NamedTuple):
    kind: str
    value: str
    lineno: int


_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)
    |(?P<name>[\w$]+)
    |(?P<space>\s+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_PATTERN = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/[a-z]*")
"""A regular expression, where no division can be."""


def _tokens(text: str) -> list[Token]:
    """A script in tokens, without comments. Enough for ours, and for no other scripts."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        before = found[-1].value if found else "("
        if text[place] == "/" and match and match.lastgroup == "sign" and before in _BEFORE:
            match = _PATTERN.match(text, place) or match
        if match is None:
            break
        if match.lastgroup not in {"comment", "space"}:
            found.append(Token(match.lastgroup or "", match[0], text.count("\n", 0, place) + 1))
        place = match.end()
    return found


_BEFORE = frozenset("(,=:[!&|?{};") | {"return"}


def in_script(text: str) -> Found:
    """The texts of a script that are words, and not given to gettext or to an error of the code."""
    tokens = _tokens(text)
    for index, token in enumerate(tokens):
        if token.kind != "string":
            continue
        before = [one.value for one in tokens[max(0, index - 4) : index]]
        if _is_translated(tokens, index) or before[-2:] == ["Error", "("]:
            continue
        words = re.sub(r"\$\{[^}]*\}", VALUE, token.value[1:-1])
        is_shown = before[-1:] == ["="] and before[-2:-1] and before[-2] in SETS
        is_told = before[-1:] == ["("] and before[-2:-1] and before[-2] in TOLD
        is_said = before[-1:] == [","] and len(before) > 1 and before[-2].strip("\"'`") in SAID
        is_phrase = " " in words.strip() and len(WORD.findall(words)) > 1
        is_phrase = is_phrase and not SELECTOR.search(words)
        if WORD.search(words) and (is_shown or is_told or is_said or is_phrase):
            yield token.lineno, words


def _is_translated(tokens: list[Token], index: int) -> bool:
    """Whether a text is an argument of gettext itself, or joined to one that is."""
    depth = 0
    for place in range(index - 1, 0, -1):
        value = tokens[place].value
        if value == "(" and depth == 0:
            return tokens[place - 1].value in {*IN_SCRIPTS, *ADDRESSES}
        if value in {";", "{", "}"}:
            return False
        depth += {")": 1, "(": -1}.get(value, 0)
    return False
