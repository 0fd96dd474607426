"""`python -m client.build FOLDER`: the wheel and the one-file program, the same bytes each time.

Both are ZIP archives that are written here, with the time of no day and files in order: who builds
them from the same sources gets the same SHA-256. The wheel follows PEP 427 and the core metadata
2.1; `pip wheel client` builds the same program by the usual way.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from client.securestore_client import __version__

HERE: Final = Path(__file__).parent
PACKAGE: Final = "securestore_client"
WHEEL: Final = f"{PACKAGE}-{__version__}-py3-none-any.whl"
ONE_FILE: Final = "securestore.pyz"
SUMS: Final = "SHA256SUMS"
BEGINNING: Final = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP can have."""

MAIN: Final = "one_file.py"
"""Beside this: what is `__main__.py` in the one file."""

SHEBANG: Final = b"#!/usr/bin/env python3\n"


def build(folder: Path) -> dict[str, str]:
    """Write both and their sums into a folder; the SHA-256 of each, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {WHEEL: wheel(), ONE_FILE: one_file()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / ONE_FILE).chmod(0o755)
    listed = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / SUMS).write_text(listed, encoding="ascii")
    about = {"version": __version__, "files": sums}
    (folder / "about.json").write_text(json.dumps(about) + "\n", encoding="ascii")
    return sums


def sources() -> dict[str, bytes]:
    """The modules of the program, by their path in an archive."""
    found = sorted((HERE / PACKAGE).rglob("*.py"))
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in found}


def one_file() -> bytes:
    """What `python3 securestore.pyz` runs."""
    return SHEBANG + archive({"__main__.py": (HERE / MAIN).read_bytes(), **sources()})


def wheel() -> bytes:
    """What `pipx install` takes."""
    about = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = f"{PACKAGE}-{__version__}.dist-info"
    content = sources()
    content[f"{info}/METADATA"] = _metadata(about).encode()
    content[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: securestore\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    scripts = "".join(f"{name} = {what}\n" for name, what in about["scripts"].items())
    content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
    record = f"{info}/RECORD"
    lines = [f"{name},{_record(data)},{len(data)}\n" for name, data in content.items()]
    content[record] = "".join([*lines, f"{record},,\n"]).encode()
    return archive(content)


def _metadata(about: Mapping[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {about['name']}",
        f"Version: {__version__}",
        f"Summary: {about['description']}",
        f"Requires-Python: {about['requires-python']}",
        *(f"Requires-Dist: {needed}" for needed in about["dependencies"]),
        "Description-Content-Type: text/markdown",
    ]
    readme = (HERE / about["readme"]).read_text(encoding="utf-8")
    return "\n".join(lines) + f"\n\n{readme}"


def _record(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"sha256={digest}"


def archive(content: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files that says nothing of when and where it was made.

    Stored as they are: what a compressor makes of them is another thing with each release of it.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, data in content.items():
            about = zipfile.ZipInfo(name, BEGINNING)
            about.create_system = 3  # Unix, whatever this is.
            about.external_attr = 0o644 << 16
            made.writestr(about, data)
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m client.build", description=__doc__)
    parser.add_argument("folder", type=Path)
    build(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
