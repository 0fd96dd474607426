"""What a command prints: results on standard output, for people or as one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from .characters import marked
from .errors import ClientError

UTF_8 = frozenset({"utf-8", "utf8"})


class Output:
    """Standard output. With `as_json`, whatever a command has to say is one document."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._is_told = False
        # Where the terminal has UTF-8, names are readable in JSON, too.
        self._ascii = (getattr(self._out, "encoding", None) or "utf-8").lower() not in UTF_8

    def line(self, text: str) -> None:
        """A line for people; nothing as JSON."""
        if not self.as_json:
            self._out.write(shown(text) + "\n")

    def document(self, content: Mapping[str, Any]) -> None:
        """The document of a command; nothing for people."""
        if self.as_json:
            json.dump(content, self._out, ensure_ascii=self._ascii)
            self._out.write("\n")
            self._out.flush()

    def items(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Rows as they come: a line each, or `{"items": [...]}`. How many there were.

        What goes wrong on the way is `error` of the same document.
        """
        count = 0
        try:
            for text, raw in rows:
                if self.as_json:
                    self._out.write(",\n" if count else '{"items": [\n')
                    json.dump(raw, self._out, ensure_ascii=self._ascii)
                else:
                    self._out.write(shown(text) + "\n")
                count += 1
        except ClientError as error:
            if self.as_json and count:
                self._out.write(f'\n], "error": {json.dumps(described(error))}}}\n')
                self._is_told = True
            raise
        if self.as_json:
            self._out.write("\n]}\n" if count else '{"items": []}\n')
        self._out.flush()
        return count

    def failure(self, error: ClientError) -> None:
        """Why a command was not done."""
        sys.stderr.write(f"securestore: {shown(str(error))}\n")
        if not self._is_told:
            self.document({"error": described(error)})


def described(error: ClientError) -> dict[str, Any]:
    """A failure as JSON has it."""
    return {"code": error.code, "message": str(error), "exit": error.exit_code}


def shown(text: str) -> str:
    """A text on a terminal: what would move its cursor or cannot be encoded is a mark."""
    safe = marked(text, "�", keeping="\t")
    return safe.encode("utf-8", "replace").decode()
