"""The path of a request as the server handed it over, before Django has mended what is no UTF-8.

Django writes `%FF` for a byte that is none, and a name that has these three characters would be the
same path. A file must not come under a name that its sender did not mean.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.handlers import wsgi

RAW: Final = "securestore.path_info"
"""Where a request has it: text of Latin-1, a character for each byte (PEP 3333)."""

_mended = wsgi.get_path_info


def _noted(environ: dict[str, Any]) -> str:
    # A request that is made of another one's environment has it already.
    environ[RAW] = environ.get("PATH_INFO", "")
    return _mended(environ)


# Django has no hook for it, and puts what it has mended in its place.
wsgi.get_path_info = _noted


def is_utf_8(environ: dict[str, Any]) -> bool:
    """Whether every byte of the path is one of UTF-8."""
    try:
        environ.get(RAW, "").encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True
