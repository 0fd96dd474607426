"""The documents speak of what is there: files, and headings of other pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TOP = (
    "accounts|audit|benchmarks|client|deploy|docs|files|launcher|runtime|securestore|static|templates|"
    "tests"
)
each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def anchors(text: str) -> set[str]:
    """What headings can be linked by, as code hosts make them."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    bare = (re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in bare}


@each
def test_every_file_that_is_named_is_there(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        pytest.skip("it tells of what was")
    named = re.findall(rf"`((?:{TOP})/[\w./-]+)`", document.read_text())
    made = {  # By make.
        *("static/vendor", "benchmarks/results.json", "files/crypto/lanes/_lanes.abi3.so"),
    }
    gone = {name for name in named if not (ROOT / name).exists() and name.rstrip("/") not in made}
    assert gone == set()


@each
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = document.parent / path if path else document
        assert there.exists(), link
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.read_text()), link


def test_every_room_and_package_has_its_row() -> None:
    """The tables of the house, and nothing that is not in the tree."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    house, rooms = text.partition("### Rooms of `files/`")[::2]
    rooms = rooms.partition("\n### ")[0]
    firsts = [line.split("|")[2] for line in rooms.splitlines() if line.startswith("|")]
    named = {name for first in firsts for name in re.findall(r"`([\w./]+)`", first)}
    inside = [path for path in (ROOT / "files").iterdir() if path.name != "__pycache__"]
    there = {f"{path.name}/" if path.is_dir() else path.name for path in inside}
    assert named == there - {"__init__.py", "migrations/"}
    packages = set(re.findall(r"^\| `(\w+)/` \|", house, re.MULTILINE))
    of_ours = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == (of_ours - {"tests", "benchmarks"}) | {"client"}
