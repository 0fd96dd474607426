"""`completion`: what shells run, and `complete`, which they ask. Silent whatever happens."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Final

from ..errors import ClientError
from ..places import parse
from ..session import Session

BASH: Final = """\
_securestore() {
  local IFS=$'\\n'
  COMPREPLY=($(securestore complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [ ${#COMPREPLY[@]} -eq 0 ]; then compopt -o default; else compopt -o nospace; fi
}
complete -F _securestore securestore
"""
ZSH: Final = """\
#compdef securestore
_securestore() {
  local -a found
  found=("${(@f)$(securestore complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -S '' -U -- $found; else _files; fi
}
compdef _securestore securestore
"""
FISH: Final = """\
function __securestore
  securestore complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c securestore -a '(__securestore)'
"""
SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}
OF_HERE: Final = frozenset({"put"})
"""Commands whose paths are of this machine."""


def completion(session: Session) -> int:
    """The script of a shell."""
    sys.stdout.write(SCRIPTS[session.options.shell])
    return 0


def complete(session: Session) -> int:
    """What the last word may become, a line each."""
    words = session.options.words or [""]
    for found in candidates(session, words):
        session.output.line(found)
    return 0


def candidates(session: Session, words: list[str]) -> list[str]:
    """Commands, options and paths that begin like the last word."""
    last = words[-1]
    known: dict[str, ArgumentParser] = session.options.known
    if len(words) == 1:
        return sorted(name for name in known if name.startswith(last) and name != "complete")
    chosen = known.get(words[0])
    if chosen is None:
        return []
    if last.startswith("-"):
        options = {name for action in chosen._actions for name in action.option_strings}
        return sorted(name for name in options if name.startswith(last))
    if words[0] in OF_HERE and words[-2] != "--to":
        return []
    return _paths(session, last)


def _paths(session: Session, begun: str) -> list[str]:
    above, slash, last = begun.rpartition("/")
    try:
        folder = session.api.folder(parse(above))
        return [
            f"{above}{slash}{entry.name}{'/' if entry.is_folder else ''}"
            for entry in session.api.entries(folder.id)
            if entry.name.startswith(last)
        ]
    except ClientError:
        return []
