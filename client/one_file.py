"""Where the one-file program begins: this is its `__main__.py`.

Python compiles what it takes from an archive anew each time. What was compiled is kept in a file of
the user's own cache, and taken from there as long as the archive and the Python are the same.

What is run must be nobody else's: the folder and the file have to be the user's who runs it, and
writable by them alone. Each is looked at as it is open, so that nothing can be put in its place
meanwhile. Where anything is otherwise, nothing is kept, and the program runs all the same.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
import zlib
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

PACKAGE = "securestore_client"
FOLDER = "securestore"
"""In the user's cache."""


class Compiled:
    """Finds and loads the modules of the program; each is a code object, marshalled."""

    def __init__(self, codes: dict[str, tuple[bool, bytes]]) -> None:
        self._codes = codes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._codes:
            return None
        return ModuleSpec(name, self, is_package=self._codes[name][0])  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        code: CodeType = marshal.loads(self._codes[module.__name__][1])  # noqa: S302 - our own
        exec(code, module.__dict__)  # noqa: S102 - it is the program


def compiled_of(archive: str) -> Compiled | None:
    """The program, as it was compiled; None where nothing can be kept."""
    if sys.dont_write_bytecode or sys.flags.ignore_environment or not hasattr(os, "geteuid"):
        return None
    try:
        with open(archive, "rb") as file:
            content = file.read()
        stamp = repr((sys.version, sys.flags.optimize, len(content), zlib.crc32(content)))
        folder = _folder()
    except OSError:
        return None
    try:
        name = f"{sys.implementation.cache_tag}.code"
        codes = _kept(folder, name, stamp)
        if codes is None:
            codes = _compile(archive)
            _keep(folder, name, stamp, codes)
        return Compiled(codes)
    except (OSError, ValueError, EOFError, TypeError):
        # As Python itself takes it from there, or tells what is wrong with it.
        return None
    finally:
        os.close(folder)


def _folder() -> int:
    """The folder of the cache, open. Raises OSError, also where it is not the user's alone."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
        # What lies where one happens to be may be anybody's.
        _require(os.path.isabs(base))
    above = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A person's cache that root was given by `sudo` is not root's.
        _require(os.fstat(above).st_uid == os.geteuid())
        with suppress(FileExistsError):
            os.mkdir(FOLDER, 0o700, dir_fd=above)
        found = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    finally:
        os.close(above)
    try:
        _require(_is_ours(os.fstat(found)))
    except OSError:
        os.close(found)
        raise
    return found


def _is_ours(about: os.stat_result) -> bool:
    return about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _require(is_so: bool) -> None:
    if not is_so:
        raise PermissionError("the cache is not the user's alone")


def _kept(folder: int, name: str, stamp: str) -> dict[str, tuple[bool, bytes]] | None:
    """What was kept of this archive by this Python; None where that is nothing."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(opened)
        if not (stat.S_ISREG(about.st_mode) and _is_ours(about)):
            return None
        data = file.read()
    # Half of it, after a power cut, is nothing.
    if zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
        return None
    found = marshal.loads(data[4:])  # noqa: S302 - of the user's own file
    return found[1] if found[0] == stamp else None


def _compile(archive: str) -> dict[str, tuple[bool, bytes]]:
    import zipfile

    codes = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            for path in opened.namelist():
                if path.startswith(f"{PACKAGE}/") and path.endswith(".py"):
                    name = path[: -len(".py")].replace("/", ".")
                    code = compile(opened.read(path), path, "exec", dont_inherit=True)
                    is_package = name.endswith(".__init__")
                    codes[name.removesuffix(".__init__")] = is_package, marshal.dumps(code)
    except zipfile.BadZipFile as error:
        raise ValueError("the archive is damaged") from error
    return codes


def _keep(folder: int, name: str, stamp: str, codes: dict[str, tuple[bool, bytes]]) -> None:
    data = marshal.dumps((stamp, codes))
    draft = f"{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(zlib.crc32(data).to_bytes(4, "big") + data)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        # No room, or nothing may be written: it is compiled again the next time.
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)


def run() -> None:
    """Be the program, to the end of the process."""
    archive = getattr(globals().get("__loader__"), "archive", None)
    finder = compiled_of(archive) if archive else None
    if finder is not None:
        sys.meta_path.insert(0, finder)
    import_module(f"{PACKAGE}.__main__").run()


if __name__ == "__main__":
    run()
