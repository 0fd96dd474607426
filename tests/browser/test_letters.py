"""Every mail as a browser shows it, beside its text: nothing is fetched, nothing runs beside."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.browser import gallery
from tests.browser.accessibility import NARROW, WIDE
from tests.letters import Letter, letters

pytestmark = pytest.mark.browser

FRAME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{subject}</title><style>
body {{ font: 16px/1.5 sans-serif; margin: 1rem; max-width: 46rem; overflow-wrap: anywhere }}
iframe {{ border: 1px solid; width: 100%; height: 20rem }}
pre {{ border: 1px solid; padding: .5rem; white-space: pre-wrap }}
</style><p><strong>{subject}</strong></p><iframe title="HTML" srcdoc="{html}"></iframe>
<pre>{text}</pre>"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A tab without a site, in which one mail after another is shown."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def asked(tab: Page) -> Iterator[list[str]]:
    """The addresses that the tab asks for from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    tab.on("request", note)
    yield asked
    tab.remove_listener("request", note)


@pytest.mark.parametrize("letter", [*letters()], ids=lambda letter: letter.name)
def test_a_mail_fits_and_fetches_nothing(tab: Page, asked: list[str], letter: Letter) -> None:
    told = {name: escape(getattr(letter, name)) for name in ("subject", "html", "text")}
    tab.set_content(FRAME.format(**told))
    mail = tab.frame_locator("iframe").locator("body")
    assert mail.inner_text().split() == letter.text.split()
    gallery.take(tab, f"mail-{letter.name}", themes=("light",))
    for width in (WIDE, NARROW):
        tab.set_viewport_size({"width": width, "height": 800})
        assert mail.evaluate("body => body.scrollWidth <= body.clientWidth + 16"), width
    assert [url for url in asked if url.startswith("http")] == []
