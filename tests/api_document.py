"""`docs/openapi.json` and `docs/api.md`, made from the schema: `make api`. A test compares them.

Of `docs/api.md` what stands before the mark is written by hand.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA, PAGE = DOCS / "openapi.json", DOCS / "api.md"
MARK = "<!-- From here on made from the schema, by `make api`. -->"
_METHODS = ("get", "head", "put", "post", "patch", "delete")


def schema_text() -> str:
    """The schema as it is committed."""
    from files.web.api import schema

    return json.dumps(schema.document(), indent=1, ensure_ascii=False) + "\n"


def page_text(before: str) -> str:
    """The page: what was written by hand, and what is made of the schema."""
    from files.web.api import schema

    return "\n".join([before.rstrip(), "", MARK, "", *_lines(schema.document())]) + "\n"


def written_by_hand() -> str:
    """What stands before the mark."""
    return PAGE.read_text().partition(MARK)[0]


def _lines(document: dict[str, Any]) -> list[str]:
    from files.web.api import problems
    from tests.files.doors import OPERATIONS

    scopes = {(one.method.lower(), one.path): one.scope for one in OPERATIONS}
    lines = ["## Operations", "", "| | | scope |", "|---|---|---|"]
    details: list[str] = []
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method not in operations:
                continue
            operation = operations[method]
            what = operation.get("description") or operation["summary"]
            what = what.partition("\n")[0]
            scope = scopes[method, path]
            named = f"`{method.upper()} {path}`"
            lines.append(f"| {named} | {what} | {f'`{scope}`' if scope else 'any'} |")
            details += ["", f"### {method.upper()} {path}", ""]
            details += [f"{what} (`{operation['operationId']}`)", "", *_operation(operation)]
    lines += [*details, "", "## Shapes"]
    for name, shape in document["components"]["schemas"].items():
        lines += ["", f"### {name}", "", *_shape(shape)]
    lines += ["", "## Problems", "", "| code | status | |", "|---|---|---|"]
    lines += [f"| `{code}` | {of[0]} | {of[1]} |" for code, of in problems.CODES.items()]
    return lines


def _operation(operation: dict[str, Any]) -> list[str]:
    lines = []
    if parameters := operation.get("parameters"):
        lines += ["| parameter | in | |", "|---|---|---|"]
        for one in parameters:
            says = [_kind(one["schema"]), *([one["description"]] if "description" in one else [])]
            lines.append(f"| `{one['name']}` | {one['in']} | {'. '.join(says)} |")
        lines.append("")
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        lines += [f"Takes {_kind(body['schema'])} (`{kind}`).", ""]
    good = [
        f"{status} {_content(answer)}".strip()
        for status, answer in operation["responses"].items()
        if int(status) < 400
    ]
    bad = [status for status in operation["responses"] if int(status) >= 400]
    return [*lines, f"Answers {'; '.join(good)}. Problems: {', '.join(bad)}."]


def _content(answer: dict[str, Any]) -> str:
    for kind, body in answer.get("content", {}).items():
        return _kind(body["schema"]) if "schema" in body else f"bytes (`{kind}`)"
    return ""


def _kind(schema: dict[str, Any]) -> str:
    """The type of something, in a word or two."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_kind(one) for one in schema.get("anyOf") or schema["oneOf"])
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = str(schema.get("format") or schema.get("type", "anything"))
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return f"{kind} ({', '.join(bounds)})" if bounds else kind


_BOUNDS = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
    "pattern": "as",
    "default": "else",
}


def _shape(shape: dict[str, Any]) -> list[str]:
    lines = [shape.get("description", ""), "", "| field | | |", "|---|---|---|"]
    for name, field in shape.get("properties", {}).items():
        lines.append(f"| `{name}` | {_kind(field)} | {field.get('description', '')} |")
    return lines


def main() -> None:
    """Write both anew."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    SCHEMA.write_text(schema_text())
    PAGE.write_text(page_text(written_by_hand()))


if __name__ == "__main__":
    main()
