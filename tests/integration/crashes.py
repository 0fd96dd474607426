"""Kills at every point of the write path, and what must hold after each of them.

An operation is run once to list its points (`faultpoints`), then killed at one after the other.
After each kill the site is started again, the client goes on where it can, and an operator's sweep
follows. Then everything that a client was told is stored reads back the same, nothing is half
there, rows and objects are one to one, and the audit log holds.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from files.crypto.digests import digest_all
from files.crypto.fernetkey import generate_master_key
from tests.conftest import Weed
from tests.files import multipart
from tests.files.multipart import CONTENT_TYPE, file
from tests.integration import faultpoints, postgresql
from tests.integration.crash_agent import content_of
from tests.integration.forms import form
from tests.integration.tus import ROOT, Client, Server

SETTINGS = "tests.integration.crash_settings"
SMALL, LARGE, FIVE = 1000, 9_000_000, 34_000_000
"""Bytes: one frame and one PUT; two parts of a multipart upload; five, three of them at once."""

LIVING = ("live", "kept")

KEPT = "kept.bin"
"""A file that is there from the first kill to the last."""

TRIES = 3
"""How often a run is tried again that does not come by the point that it was to be killed at."""

_GONE = (OSError, http.client.HTTPException)


class Broken(AssertionError):
    """An invariant does not hold. The message has the operation, the point and what is wrong."""


@dataclass
class Tally:
    """What became of one operation on one database."""

    operation: str
    database: str
    points: int = 0
    kills: int = 0
    missed: list[str] = field(default_factory=list)
    """Points of the first run that the others did not come by, such as a session's last use."""
    seconds: float = 0.0


class CrashSite(Server):
    """The site with fault points, an agent beside it, and the record of what clients were told."""

    def __init__(self, folder: Path, weed: Weed, database: str = "sqlite", url: str = "") -> None:
        self.vendor = database
        self.web_points = folder / "web-points"
        self.agent_points = folder / "agent-points"
        settings = {"DATABASE_URL": url} if url else {}
        super().__init__(
            folder,
            weed,
            DJANGO_SETTINGS_MODULE=SETTINGS,
            FAULT_POINTS=str(self.web_points),
            **settings,
        )
        self.env_file = folder / "env"
        self._keys = [self._master_key(), generate_master_key()]
        self.told: dict[str, bytes] = {}
        self.perhaps: list[dict[str, bytes]] = []
        """Groups of files of which all may be there, or none."""
        self.going: set[str] = set()
        self.gone: set[str] = set()
        self.either: dict[str, bytes] = {}
        """What a file may be by now instead of what was told: its new version."""
        self.keys: dict[str, str] = {}
        """The keys of held files."""
        self.number = 0
        with (folder / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.crash_agent"],
                cwd=ROOT,
                env={
                    **self._env,
                    "FAULT_POINTS": str(self.agent_points),
                    "DOOMED_GRACE_MINUTES": "0",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.ask("people")
        self.program: dict[str, str] = self.ask("token")
        self.start()
        self.client = Client(self.port).sign_in()
        self.ask("store", names=[KEPT], sizes=[LARGE])
        self.told[KEPT] = content_of(KEPT, LARGE)

    def close(self) -> None:
        """End everything that was started."""
        self.kill()
        assert self._agent.stdin is not None
        self._agent.stdin.close()
        self._agent.wait(60)
        assert self._agent.stdout is not None
        self._agent.stdout.close()

    def ask(self, order: str, **arguments: Any) -> Any:
        """Have the agent do something."""
        assert self._agent.stdin is not None
        assert self._agent.stdout is not None
        self._agent.stdin.write(json.dumps({"order": order, **arguments}) + "\n")
        self._agent.stdin.flush()
        answer = json.loads(self._agent.stdout.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise Broken(answer["error"])
        return answer

    def bury(self) -> None:
        """Start the web server again, which has killed itself."""
        assert self._child is not None
        deadline = time.monotonic() + 30
        while self._child.exit_code() is None:
            assert time.monotonic() < deadline, "it was to be killed, and lives"
            time.sleep(0.01)
        self.kill()
        self.start()

    def name(self, kind: str) -> str:
        """A name that no other file has."""
        self.number += 1
        return f"{kind}-{self.number}.bin"

    def post(self, path: str, **fields: str) -> int:
        """Post a form as alice; the status."""
        token = {"csrfmiddlewaretoken": self.client.headers["X-CSRFToken"]}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer, _ = self.client.request("POST", path, urlencode(fields | token).encode(), **kind)
        return answer.status

    def swap_master_keys(self) -> None:
        """Put the other key first, as an operator edits the file."""
        self._keys.reverse()
        lines = self.env_file.read_text().splitlines()
        new = [f"MASTER_KEYS={','.join(self._keys)}" if _is_key(line) else line for line in lines]
        draft = self.env_file.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text("\n".join(new) + "\n")
        draft.replace(self.env_file)

    def _master_key(self) -> str:
        lines = self.env_file.read_text().splitlines()
        return next(line for line in lines if _is_key(line)).partition("=")[2]

    def problems(self) -> list[str]:
        """Sweep, look at everything, and say what should not be so."""
        seen = self.ask("inspect", keys=self.keys)
        files = {name: found[1] for name, found in seen["files"].items()}
        found = list(seen["failed"])
        for name, content in self.told.items():
            if name in self.going and name not in files:
                continue
            if name in self.either and files.get(name) == _digest(self.either[name]):
                if seen["former"].get(name) != [_digest(content)]:
                    found.append(f"{name} has a new version, and the former one is not kept")
                continue
            if files.get(name) != _digest(content):
                found.append(f"{name} was told to be stored and is {files.get(name, 'not there')}")
        for group in self.perhaps:
            there = {name for name in group if name in files}
            if there not in (set(), set(group)):
                found.append(f"of {sorted(group)} only {sorted(there)} are there")
            for name in there:
                if files[name] != _digest(group[name]):
                    found.append(f"{name} is half there: {files[name]}")
        found += [f"{name} was deleted and is there" for name in self.gone & set(files)]
        known = {*self.told, *(name for group in self.perhaps for name in group)}
        found += [f"{name} was never stored" for name in set(files) - known]
        rows = {name for name, _ in seen["rows"]}
        objects = set(seen["objects"])
        found += [f"object without a row: {name}" for name in objects - rows]
        found += [f"row without an object: {name}" for name in rows - objects]
        states = Counter(state for _, state in seen["rows"])
        kept = sum(map(len, seen["former"].values()))
        found += [f"{n} rows {state}" for state, n in states.items() if state not in LIVING]
        if states["kept"] != kept:
            found.append(f"{states['kept']} rows of {kept} former versions")
        found += [f"multipart upload of {name}" for name in seen["multiparts"]]
        if seen["fileless"]:
            found.append(f"{seen['fileless']} rows without a file")
        found += _unheard_of(seen)
        self._remember(files)
        self._know_versions(files)
        return found

    def _know_versions(self, files: dict[str, str]) -> None:
        for name, content in self.either.items():
            if files.get(name) == _digest(content):
                self.told[name] = content
        self.either.clear()

    def _remember(self, files: Iterable[str]) -> None:
        """What was open is known now, and must stay so."""
        there = set(files)
        for group in self.perhaps:
            for name, content in group.items():
                if name in there:
                    self.told[name] = content
        self.perhaps.clear()
        for name in self.going - there:
            self.told.pop(name, None)
        self.gone |= self.going - there
        self.going.clear()

    def tidy(self, most: int = 4) -> None:
        """Delete all files but `KEPT` when there are many: looking at all of them stays quick."""
        names = [name for name in self.told if name != KEPT]
        if len(names) > most:
            self.ask("remove", names=names)
            for name in names:
                del self.told[name]
            self.gone |= set(names)


def _is_key(line: str) -> bool:
    return line.startswith("MASTER_KEYS=")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unheard_of(seen: dict[str, Any]) -> list[str]:
    """Files and grants without their one event, and events of what did not happen."""
    events = {(event, file, grant): n for event, file, grant, n in seen["events"]}
    ids = {pk for pk, _ in seen["files"].values()}
    found = [
        f"file {pk}: {events.get(('file_uploaded', pk, None), 0)} events of its upload"
        for pk in ids
        if events.get(("file_uploaded", pk, None), 0) != 1
    ]
    found += [f"file {pk} is there, and its deletion on record" for event, pk, _ in events
              if event == "file_deleted" and pk in ids]  # fmt: skip
    grants = {(file, pk) for pk, file in seen["grants"]}
    told = {(file, pk) for event, file, pk in events if event == "grant_created"}
    found += [f"grant {pk} without an event" for _, pk in grants - told]
    found += [f"event of a grant {pk} that is not there" for file, pk in told - grants
              if file in ids]  # fmt: skip
    return found


@contextmanager
def crash_site(folder: Path, weed: Weed, database: str) -> Iterator[CrashSite]:
    """A site on that database, `sqlite` or `postgresql`, for as long as the block lasts."""
    with ExitStack() as stack:
        url = ""
        if database == "postgresql":
            known = stack.enter_context(postgresql.server(migrated=True))
            url = f"postgres://{known['USER']}@/{known['HOST']}/postgres"
        site = CrashSite(folder, weed, database, url)
        stack.callback(site.close)
        yield site


# --- Operations ---------------------------------------------------------------------------------


@dataclass
class Operation:
    """Something that is killed. `run` is armed; `resume` follows the restart."""

    site: CrashSite
    in_agent = False
    of_five = False
    """Whether it is about a file of five parts, which are made to arrive out of order."""

    def prepare(self) -> None:
        """Make what it needs."""

    def run(self) -> None:
        """Do it, and note in the site's record what the client was told."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on after the kill, as the client or the operator would."""


@dataclass
class FormUpload(Operation):
    """Two files in one form: a small one, and one of two parts."""

    large = LARGE

    def run(self) -> None:
        site = self.site
        sizes = {site.name("small"): SMALL, site.name("large"): self.large}
        group = {name: content_of(name, size) for name, size in sizes.items()}
        site.perhaps.append(group)
        data = form(site.client, *(file(name, content) for name, content in group.items()))
        answer, page = site.client.request(
            "POST", "/files/upload/", data, **{"Content-Type": CONTENT_TYPE}
        )
        assert answer.status == 302, page
        site.told |= group


class FormOfFive(FormUpload):
    """The same, with one of five parts, which arrive out of order."""

    large, of_five = FIVE, True


@dataclass
class TusUpload(Operation):
    """Three PATCHes: less than a part, into the second part, to the end."""

    ends = [300_000, 8_500_000, LARGE]
    """What each PATCH brings the upload to, in bytes."""
    goes_on = True
    custody = "managed"
    path = ""
    safe = 0

    def prepare(self) -> None:
        self.named = self.site.name("tus")
        self.content = content_of(self.named, self.ends[-1])
        self.path, self.safe = "", 0

    def run(self) -> None:
        self.site.perhaps.append({self.named: self.content})
        self.path = self.site.client.create(self.ends[-1], self.named, self.custody)
        for end in self.ends:
            self._patch(end)
        self.site.told[self.named] = self.content

    def _patch(self, end: int) -> None:
        answer = self.site.client.patch(self.path, self.content[self.safe : end], self.safe)
        assert answer.status == 204, answer.status
        self.safe = end
        assert ("Securestore-File" in answer.headers) == (end == self.ends[-1])
        self._note_key(answer)

    def _note_key(self, answer: http.client.HTTPResponse) -> None:
        if key := answer.headers.get("Securestore-Key"):
            self.site.keys[self.named] = key

    def _compare(self, offset: int, stored: str | None) -> None:
        """The chain that the server tells must be that of exactly what is safe."""
        answer, _ = self.site.client.request("HEAD", self.path)
        told = answer.headers.get("Upload-Content-Chain")
        chain = digest_all([self.content[:offset]]).chain
        if told is None and stored and self.custody == "held":
            return  # It opens with its owner's key alone.
        if told != f":{base64.b64encode(chain).decode()}:":
            raise Broken(f"the chain of {offset} bytes is told as {told}")

    def resume(self) -> None:
        if not self.path or not self.goes_on:
            return
        client = self.site.client
        offset, stored = client.head(self.path)
        if offset < self.safe:
            raise Broken(f"{self.safe} bytes were safe, and {offset} are there")
        self._compare(offset, stored)
        self.safe = offset
        if stored is None:
            self._patch(self.ends[-1])
        answer, _ = client.request("HEAD", self.path)
        stored = answer.headers["Securestore-File"]
        self._note_key(answer)
        if self.custody == "managed" and client.download(stored) != self.content:
            raise Broken("the upload that went on is another file")
        self.site.told[self.named] = self.content


class TusOfFive(TusUpload):
    """Two PATCHes over five parts, which arrive out of order: into the fourth part, to the end."""

    ends = [26_000_000, FIVE]
    of_five = True


@dataclass
class TusAtOnce(Operation):
    """Created and stored in one request: nobody who got no answer can go on with it."""

    of_five = True

    def run(self) -> None:
        named = self.site.name("at-once")
        content = content_of(named, FIVE)
        self.site.perhaps.append({named: content})
        path = self.site.client.create(FIVE, named, data=content)
        assert self.site.client.head(path)[1] is not None
        self.site.told[named] = content


class TusHeld(TusUpload):
    """The same of a held file, whose key comes with the answer that completes it, and after it."""

    custody = "held"


class TusLeft(TusUpload):
    """The same, and nobody comes back to it."""

    goes_on = False


class TusGivenUp(TusUpload):
    """Begun, and terminated by its client."""

    def prepare(self) -> None:
        super().prepare()
        self.path = self.site.client.create(LARGE, self.named)
        self._patch(300_000)
        self._patch(8_500_000)

    def run(self) -> None:
        answer, _ = self.site.client.request("DELETE", self.path)
        assert answer.status == 204

    def resume(self) -> None:
        # A client that got no answer asks again.
        answer, _ = self.site.client.request("DELETE", self.path)
        assert answer.status in {204, 404, 410}, answer.status


class Version(Operation):
    """A new version of a file, of two parts, by tus; gone on with after a kill."""

    path = ""

    def prepare(self) -> None:
        self.named, self.path = self.site.name("version"), ""
        self.site.ask("store", names=[self.named], sizes=[SMALL])
        self.site.told[self.named] = content_of(self.named, SMALL)
        self.content = content_of(f"new {self.named}", LARGE)

    def run(self) -> None:
        self.site.either[self.named] = self.content
        self.path = self.site.client.create(LARGE, self.named, conflict="version")
        self._send(0, 8_500_000)
        self._send(8_500_000, LARGE)

    def _send(self, safe: int, end: int) -> None:
        answer = self.site.client.patch(self.path, self.content[safe:end], safe)
        assert answer.status == 204, answer.status

    def resume(self) -> None:
        if not self.path:
            return
        safe, stored = self.site.client.head(self.path)
        if stored is None:
            self._send(safe, LARGE)
            _, stored = self.site.client.head(self.path)
        if self.site.client.download(str(stored)) != self.content:
            raise Broken("the version that went on is another file")


class VersionByForm(Version):
    """The same by form: nobody can go on with it."""

    def run(self) -> None:
        self.site.either[self.named] = self.content
        parts = multipart.field("conflict", "version"), file(self.named, self.content)
        data = form(self.site.client, *parts)
        answer, page = self.site.client.request(
            "POST", "/files/upload/", data, **{"Content-Type": CONTENT_TYPE}
        )
        assert answer.status == 302, page


class Batch(Operation):
    """Three small files in one request of the API; sent once more, with its key, after a kill."""

    def prepare(self) -> None:
        sizes = {self.site.name("batch"): size for size in (SMALL, 1, 300_000)}
        self.group = {name: content_of(name, size) for name, size in sizes.items()}
        self.key = self.site.name("key")

    def run(self) -> None:
        self.site.perhaps.append(self.group)
        self._send()
        self.site.told |= self.group

    def _send(self) -> dict[str, Any]:
        answer, told = self.ask()
        assert answer.status == 201, told
        found: dict[str, Any] = json.loads(told)
        return found

    def ask(self) -> tuple[http.client.HTTPResponse, bytes]:
        """The request, the same at any time."""
        files = [
            {"name": name, "content": base64.b64encode(content).decode()}
            for name, content in self.group.items()
        ]
        return self._asked(
            "POST",
            f"/api/v1/folders/{self.site.program['root']}/files",
            json.dumps({"files": files}).encode(),
            "application/json",
        )

    def _asked(
        self, method: str, path: str, body: bytes, kind: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        return Client(self.site.port).request(
            method,
            path,
            body,
            **{
                "Authorization": f"Bearer {self.site.program['token']}",
                "Content-Type": kind,
                "Idempotency-Key": self.key,
            },
        )

    def resume(self) -> None:
        # Whether it was stored before the kill or is now: it is stored once, and told alike.
        if self._send() != self._send():
            raise Broken("the same request is answered in two ways")
        self.site.told |= self.group


class PutByPath(Batch):
    """One file by `PUT`, below folders that it makes; the same."""

    def prepare(self) -> None:
        super().prepare()
        name = self.site.name("put")
        self.group = {name: content_of(name, SMALL)}

    def ask(self) -> tuple[http.client.HTTPResponse, bytes]:
        [(name, content)] = self.group.items()
        path = f"/api/v1/content/{self.key}/below/{name}?parents=1"
        return self._asked("PUT", path, content, "text/plain")


@dataclass
class Deletion(Operation):
    """For good, by the owner, of what is in the trash."""

    def prepare(self) -> None:
        self.named = self.site.name("delete")
        self.file_id = self.site.ask("store", names=[self.named], sizes=[SMALL])[self.named]
        self.site.told[self.named] = content_of(self.named, SMALL)
        assert self.site.post(f"/files/{self.file_id}/delete/") == 302

    def run(self) -> None:
        self.site.going.add(self.named)
        assert self.site.post(f"/files/{self.file_id}/delete/", sure="on") == 302
        self.site.going.discard(self.named)
        del self.site.told[self.named]
        self.site.gone.add(self.named)


@dataclass
class Granting(Operation):
    """By the owner, on the file's page."""

    def prepare(self) -> None:
        self.named = self.site.name("grant")
        self.file_id = self.site.ask("store", names=[self.named], sizes=[SMALL])[self.named]
        self.site.told[self.named] = content_of(self.named, SMALL)

    def run(self) -> None:
        path = f"/files/{self.file_id}/grants/"
        fields = {"to": "bob", "level": "download", "until": "7"}
        assert self.site.post(path, **fields) == 302
        assert self.site.ask("look_up", name=self.named)["grants"] == 1


class Command(Operation):
    """A management command, in a process of its own; run again after the kill."""

    in_agent = True
    argv: tuple[str, ...] = ()

    def run(self) -> None:
        done = self.site.ask("run", argv=self.argv)
        assert done["killed"] or done["code"] == 0

    def resume(self) -> None:
        self.run()


class Rewrap(Command):
    """Master keys change places."""

    argv = ("rotate_master_key", "--batch-size=2")

    def prepare(self) -> None:
        self.site.tidy(most=0)  # As many batches in every run.
        names = [self.site.name("rewrap") for _ in range(3)]
        self.site.ask("store", names=names, sizes=[SMALL] * 3)
        self.site.told |= {name: content_of(name, SMALL) for name in names}
        self.site.swap_master_keys()

    def resume(self) -> None:
        super().resume()
        used = self.site.ask("inspect")["wrapped_by"]
        if len(used) != 1:
            raise Broken(f"after a rewrap that came to its end: {used}")


class Reencryption(Command):
    """A file of two parts, and one of one; run again after every second kill only."""

    size = SMALL

    def prepare(self) -> None:
        again = self.site.name("again")
        new = self.site.ask("store", names=[again], sizes=[self.size])[again]
        self.site.told[again] = content_of(again, self.size)
        kept = self.site.ask("look_up", name=KEPT)["id"]
        others = () if self.of_five else (f"--file={kept}",)
        self.argv = ("rotate_file_keys", *others, f"--file={new}")

    def resume(self) -> None:
        if self.site.number % 2:
            super().resume()


class ReencryptionOfFive(Reencryption):
    """A file of five parts, which arrive out of order."""

    size, of_five = FIVE, True


class Sweep(Command):
    """Over uploads that were cut off or left, a deletion, a tree in the trash, old versions."""

    argv = ("sweep",)

    def prepare(self) -> None:
        pruned = self.site.name("pruned")
        self.site.ask("litter", size=LARGE, pruned=pruned)
        self.site.told[pruned] = content_of(pruned, SMALL)


OPERATIONS: dict[str, type[Operation]] = {
    "upload by form": FormUpload,
    "upload by form, five parts": FormOfFive,
    "upload by tus": TusUpload,
    "upload by tus, five parts": TusOfFive,
    "upload by tus, at once": TusAtOnce,
    "upload by tus, held": TusHeld,
    "upload by tus, left": TusLeft,
    "upload by tus, given up": TusGivenUp,
    "version by tus": Version,
    "version by form": VersionByForm,
    "batch by API": Batch,
    "put by API": PutByPath,
    "delete": Deletion,
    "grant": Granting,
    "rewrap": Rewrap,
    "re-encrypt": Reencryption,
    "re-encrypt, five parts": ReencryptionOfFive,
    "sweep": Sweep,
}


def points_of(site: CrashSite, name: str) -> list[str]:
    """Run an operation to its end; the points that it passed. Raises Broken."""
    return _attempt(site, name, 0)


def kill_at(site: CrashSite, name: str, where: int | str) -> bool:
    """Kill an operation at that point, or at that of that number from 1; whether it got there.

    Raises Broken.
    """
    return _reached(_attempt(site, name, where), where)


def _reached(passed: list[str], where: int | str) -> bool:
    return where in ({len(passed)} if isinstance(where, int) else set(passed[-1:]))


def _attempt(site: CrashSite, name: str, at: int | str) -> list[str]:
    """Run it, armed; then what follows a kill, and a look at everything. The points it passed."""
    operation = OPERATIONS[name](site)
    operation.prepare()
    control = site.agent_points if operation.in_agent else site.web_points
    faultpoints.arm(control, at, disorder=operation.of_five)
    try:
        if operation.in_agent:
            operation.run()
        else:
            with suppress(*_GONE):
                operation.run()
        passed = faultpoints.passed(control)
        killed = bool(at) and _reached(passed, at)
        if killed and not operation.in_agent:
            # It may have answered before it died.
            site.bury()
    finally:
        faultpoints.disarm(control)
    where = f"{name} on {site.vendor}, {passed[-1:]}, number {len(passed)} of its points"
    if killed:
        try:
            operation.resume()
        except AssertionError as error:
            raise Broken(f"{where}: after it: {error}") from error
    if found := site.problems():
        raise Broken("\n  ".join([where, *found]))
    site.tidy(most=0 if operation.of_five else 4)
    return passed


def campaign(
    site: CrashSite,
    say: Callable[[str], object],
    *,
    operations: Iterable[str] = OPERATIONS,
) -> list[Tally]:
    """Kill every operation at every point of its. Raises Broken, or the first thing that fails."""
    tallies = []
    for name in operations:
        begun = time.monotonic()
        points = points_of(site, name)
        tally = Tally(name, site.vendor, len(points))
        for point in points:
            # How many commits tell of parts depends on which arrive together: it may need another.
            if any(kill_at(site, name, point) for _ in range(TRIES)):
                tally.kills += 1
            else:
                tally.missed.append(point)
        tally.seconds = time.monotonic() - begun
        tallies.append(tally)
        say(
            f"{tally.database:<12}{tally.operation:<26}{tally.points:>4} points"
            f"{tally.kills:>5} kills{tally.seconds:>7.0f} s {tally.missed or ''}"
        )
    return tallies
