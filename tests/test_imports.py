"""No import inside a function, or for types alone, hides a circle of modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("securestore", "files", "accounts", "notices", "audit", "runtime", "launcher", "client")


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    }


def named(node: ast.Import | ast.ImportFrom, module: str, path: Path) -> Iterator[str]:
    """The names that an import may mean: of a package, or of a module in it."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    yield from (f"{base}.{alias.name}" for alias in node.names)
    yield base


def imports(module: str, path: Path, known: dict[str, Path]) -> tuple[set[str], set[str]]:
    """What is imported as the module is loaded, and what is only later, or never."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_once: set[str] = set()
    later: set[str] = set()

    def walk(node: ast.AST, into: set[str]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                continue  # Most of a module; no import is within one.
            found = into
            for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            if for_types or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found = later
            if isinstance(child, ast.Import | ast.ImportFrom):
                names = [one for one in named(child, module, path) if one in known]
                # `from package import module` means the module, not what the package imports.
                found.update(names[:-1] if len(names) > 1 else names)
            walk(child, found)

    walk(tree, at_once)
    return at_once - {module}, later - {module}


def circles(known: dict[str, Path]) -> set[tuple[str, str]]:
    """Modules, and what they import later, by which they are imported themselves."""
    found = {module: imports(module, path, known) for module, path in known.items()}

    def reaches(begin: str, end: str) -> bool:
        seen: set[str] = set()
        left = [begin]
        while left:
            here = left.pop()
            if here == end:
                return True
            if here not in seen:
                seen.add(here)
                left += found[here][0]
        return False

    return {
        (module, late)
        for module, (_, later) in found.items()
        for late in later
        if reaches(late, module)
    }


def test_no_import_that_comes_later_hides_a_circle() -> None:
    assert circles(modules()) == set()


def test_one_that_does_is_seen(tmp_path: Path) -> None:
    known = {name: tmp_path / f"{name}.py" for name in ("a", "b", "c")}
    known["a"].write_text("def later():\n    from b import one\n")
    known["b"].write_text("import c\n")
    known["c"].write_text("from a import later\n")
    assert circles(known) == {("a", "b")}
