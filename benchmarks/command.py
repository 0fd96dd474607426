"""The command `securestore` beside curl and beside the pages, on the same server.

Each transfer is a process of its own, as people run it: its start, its digests and its last
comparison are in its time. curl compares nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import MIB, Figure, Peer, against, rates, seconds
from benchmarks.site import MEMORY, ROOT, MeasuredSite, launched
from benchmarks.visitor import Visitor, body_of
from client import build

FILES = 1_000
SMALL = 4 * 1024
BY_PAGE = 100
"""Files that the page gets one by one: enough to know how many it takes a second."""

MEASURED = (
    "import resource, subprocess, sys\n"
    "code = subprocess.call(sys.argv[2:])\n"
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024\n"
    "open(sys.argv[1], 'w').write(str(peak))\n"
    "sys.exit(code)\n"
)
"""Between this process and the program: the kernel counts what the one that starts it held."""

_CODE = (
    "from datetime import timedelta\n"
    "from django.utils import timezone\n"
    "from accounts import tokens\n"
    "from accounts.models import User\n"
    "user = User.objects.get(username='root')\n"
    "made = tokens.make(user, name='command', scopes={scopes!r}, actor=user,\n"
    "    expires_at=timezone.now() + timedelta(days=1))\n"
    "print(made.text)\n"
)


def figures(size: int, runs: int) -> Iterator[Figure]:
    """Rates of large and of many small files, and what the program holds meanwhile."""
    times: dict[str, list[float]] = {}
    peaks: list[float] = []
    for number in range(runs):
        with tempfile.TemporaryDirectory(dir=MEMORY) as name:
            folder = Path(name)
            with launched(folder) as site:
                bench = _Bench(site, folder, size)
                work = [("put", bench.put), ("curl put", bench.curl_put)]
                for key, one in sorted(work, reverse=bool(number % 2)):
                    times.setdefault(key, []).append(seconds(one))
                work = [("get", bench.get), ("curl get", bench.curl_get)]
                for key, one in sorted(work, reverse=bool(number % 2)):
                    times.setdefault(key, []).append(seconds(one))
                times.setdefault("many", []).append(seconds(bench.many) / FILES)
                times.setdefault("page", []).append(seconds(bench.by_page) / BY_PAGE)
                peaks.append(max(bench.peaks) / MIB)
    measured = rates(size / MIB, {key: times[key] for key in times if key not in {"many", "page"}})
    curl = {"curl put": Peer("curl's PUT", 0.95)}
    yield from against("Command, put", "MiB/s", measured, ours="put", peers=curl)
    curl = {"curl get": Peer("curl's GET", 0.95)}
    yield from against("Command, get", "MiB/s", measured, ours="get", peers=curl)
    each = rates(1, {key: times[key] for key in ("many", "page")})
    page = {"page": Peer("one at a time by the page", 5)}
    yield from against("Command, files of 4 KiB", "files/s", each, ours="many", peers=page)
    most = [64.0] * len(peaks)
    yield Figure("Command, memory", "MiB", peaks, "what it may hold", most, 1, at_most=True)


class _Bench:
    """A site, the program with a token, a file of `size` and many small ones."""

    def __init__(self, site: MeasuredSite, folder: Path, size: int) -> None:
        self._site, self._folder = site, folder
        build.build(folder / "program")
        self._token = token_of(site, "read", "add")
        (folder / "token").write_text(self._token)
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SECURESTORE_KEYRING": "off",
            "SECURESTORE_SERVER": site.url,
            "SECURESTORE_TOKEN_FILE": str(folder / "token"),
        }
        self.peaks: list[int] = []
        with (folder / "large").open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
        (folder / "small").mkdir()
        for number in range(FILES):
            (folder / "small" / f"{number}.bin").write_bytes(os.urandom(SMALL))
        self._run("whoami")
        self.peaks.clear()

    def put(self) -> None:
        self._run("put", "large", "--to", "Bench")

    def curl_put(self) -> None:
        self._curl("--upload-file", "large", f"{self._site.url}/api/v1/content/curl.bin")

    def get(self) -> None:
        self._run("get", "Bench/large", "--output", "got")
        (self._folder / "got").unlink()

    def curl_get(self) -> None:
        address = f"{self._site.url}/api/v1/content/Bench/large"
        self._curl("--output", "got", address)
        (self._folder / "got").unlink()

    def many(self) -> None:
        self._run("put", "small", "--to", "Bench")

    def by_page(self) -> None:
        visitor = Visitor(self._site.port)
        visitor.sign_in()
        for number in range(BY_PAGE):
            visitor.upload_form(f"page-{number}.bin", SMALL, body_of(SMALL))

    def _run(self, *words: str) -> None:
        peak = self._folder / "peak"
        program = [sys.executable, str(self._folder / "program" / build.ONE_FILE), *words]
        subprocess.run(  # noqa: S603 - the program that is measured
            [sys.executable, "-S", "-c", MEASURED, str(peak), *program, "--quiet"],
            cwd=self._folder,
            env=self._env,
            check=True,
        )
        self.peaks.append(int(peak.read_text()))

    def _curl(self, *words: str) -> None:
        told = ["--header", f"Authorization: Bearer {self._token}", "--silent", "--fail"]
        subprocess.run(  # noqa: S603 - what it is compared with
            [shutil.which("curl") or "curl", *told, *words],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def token_of(site: MeasuredSite, *scopes: str) -> str:
    """A new token of the site's administrator."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports"],
        cwd=ROOT,
        env={**kept, "SECURESTORE_ENV_FILE": str(site.env_file)},
        input=_CODE.format(scopes=list(scopes)),
        capture_output=True,
        text=True,
        check=True,
    )
    return next(line for line in done.stdout.splitlines() if line.startswith("ssv_"))
