"""How rows are locked: as strongly as what is done to them, and never more.

`SELECT … FOR UPDATE` keeps every row waiting that names the locked one by a foreign key, until the
end of the transaction: two people who upload into one folder then wait for each other. It is for
rows that are deleted. All else locks with `no_key=True` (PostgreSQL, Explicit Locking, 13.3.2).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DELETES = {"files/vault/removing.py", "files/vault/emptying.py"}
"""They delete the rows that they lock: nothing that names these may come meanwhile."""


def locks() -> Iterator[tuple[str, ast.Call]]:
    """Every call that locks rows, and the file that it stands in."""
    for room in ("accounts", "audit", "files", "launcher", "runtime", "securestore"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr == "select_for_update":
                    assert isinstance(node, ast.Call)
                    yield str(path.relative_to(ROOT)), node


def lets_rows_be_named(call: ast.Call) -> bool:
    return any(
        given.arg == "no_key" and isinstance(given.value, ast.Constant) and given.value.value
        for given in call.keywords
    )


def test_only_what_is_deleted_keeps_waiting_what_names_it() -> None:
    found = list(locks())
    assert len(found) > 20
    too_strong = {path for path, call in found if not lets_rows_be_named(call)}
    assert too_strong == DELETES
