"""Mutants of one module: comparisons, booleans and constants changed, statements removed.

Cosmic Ray's operators do the changing, one of its own beside them removes statements. Nothing
here runs a mutant or writes a file.
"""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import parso.python.tree
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.boolean_replacer import (
    AddNot,
    ReplaceAndWithOr,
    ReplaceFalseWithTrue,
    ReplaceOrWithAnd,
    ReplaceTrueWithFalse,
)
from cosmic_ray.operators.comparison_operator_replacement import operators as comparisons
from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.operators.operator import Example, Operator
from parso.tree import BaseNode, NodeOrLeaf, search_ancestor


class StatementRemoved(Operator):
    """Puts `pass` in the place of one simple statement of a function."""

    KEPT = ("import_name", "import_from", "global_stmt", "nonlocal_stmt", "string", "strings")

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[tuple[int, int], ...]]:
        """The statement's place, unless it does nothing or its removal is no statement's."""
        if not isinstance(node, BaseNode) or node.type != "simple_stmt":
            return
        if search_ancestor(node, "funcdef") is None:
            return
        statement = node.children[0]
        does_something = statement.type not in self.KEPT and not _declares(statement)
        if does_something and statement.get_code(include_prefix=False) != "pass":
            yield statement.start_pos, statement.end_pos

    def mutate(self, node: BaseNode, index: int) -> BaseNode:
        """The same line with `pass` in it."""
        old = node.children[0]
        prefix = old.get_first_leaf().prefix
        node.children[0] = parso.python.tree.Keyword("pass", old.start_pos, prefix)
        return node

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """What it does, in small."""
        return (Example("def f():\n    g()\n", "def f():\n    pass\n"),)


def _declares(statement: NodeOrLeaf) -> bool:
    """Whether it names a type and does nothing else: `name: str`."""
    last = statement.children[-1] if isinstance(statement, BaseNode) else None
    return isinstance(last, BaseNode) and last.type == "annassign" and len(last.children) == 2


def _operators() -> list[type[Operator]]:
    booleans = [
        AddNot,
        ReplaceAndWithOr,
        ReplaceOrWithAnd,
        ReplaceFalseWithTrue,
        ReplaceTrueWithFalse,
    ]
    kept = [one for one in comparisons() if _says_something(one)]
    return [*kept, *booleans, NumberReplacer, StatementRemoved]


def _says_something(comparison: type[Operator]) -> bool:
    """Not so `==` made `is`, or the other way round: that is about the interpreter."""
    return len({"Is", "IsNot"}.intersection(comparison.__name__.split("_")[-2:])) != 1


@dataclass(frozen=True)
class Mutant:
    """One changed module: the whole of its text, and where it was changed."""

    was: str
    """The changed lines as they were, without their indentation, joined by blanks."""
    becomes: str
    above: str
    """The line above them, without its indentation."""
    line: int
    function: str | None
    """The qualified name of the outermost function around it; None where it is in none's body."""
    text: str
    diff: str


def sample(source: str, size: int, seed: int, path: str = "module.py") -> list[Mutant]:
    """A random sample of the module's mutants, the same for the same source, size and seed.

    In the order of the module's lines. Fewer than `size` where there are no more.
    """
    nodes, lines = list(ast_nodes(get_ast(source))), source.splitlines()
    places = [
        (operator, occurrence, position[0][0])
        for operator in _operators()
        for occurrence, (node, position) in enumerate(_positions(operator, nodes))
        # `slots=True` and its like are about how a class is made, not about what it does; what is
        # imported for types alone does nothing.
        if search_ancestor(node, "decorator") is None
        and "TYPE_CHECKING" not in lines[position[0][0] - 1]
    ]
    chosen = random.Random(seed).sample(places, min(size, len(places)))  # noqa: S311 # no secret
    functions = _functions(source)
    made = []
    for operator, occurrence, line in sorted(chosen, key=lambda place: place[2]):
        text = mutate_code(source, operator(), occurrence)
        assert text is not None
        if _is_python(text):
            made.append(_mutant(source, text, line, functions, path))
    return made


def _is_python(text: str) -> bool:
    """`not` before `name := …` without brackets is nothing that the interpreter would take."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _positions(
    operator: type[Operator], nodes: Iterable[NodeOrLeaf]
) -> Iterator[tuple[NodeOrLeaf, tuple[tuple[int, int], ...]]]:
    for node in nodes:
        for position in operator().mutation_positions(node):
            yield node, position


def _mutant(source: str, text: str, line: int, functions: dict[str, range], path: str) -> Mutant:
    old, new = source.splitlines(keepends=True), text.splitlines(keepends=True)
    diff = list(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))
    changed = diff[2:]
    function = next((name for name, lines in functions.items() if line in lines), None)
    above = source.splitlines()[line - 2].strip() if line > 1 else ""
    sides = _side(changed, "-"), _side(changed, "+")
    return Mutant(*sides, above, line, function, text, "".join(diff))


def _side(diff: list[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in diff if line.startswith(sign))


def _functions(source: str) -> dict[str, range]:
    """The lines of each function's body, by its qualified name; inner ones belong to the outer."""
    found: dict[str, range] = {}

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
                found[f"{prefix}{node.name}"] = lines

    look(ast.parse(source).body, "")
    return found
