"""Every page of the administration: it fits, nothing moves, axe finds nothing, in every theme.

The pages are walked over as they are registered, so that a new model is looked at, too. Of each
kind (a list, a form, a history) one is seen in every theme and width, and others by turns, as those
of `test_every_page.py` are; `make soak` sees all of them in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import gallery
from tests.browser.accessibility import (
    COLOURS,
    IN_TURN,
    LOOKS,
    NARROW,
    STEADY,
    WIDE,
    Look,
    beside_the_window,
    make_ready,
    moved,
    moves,
    note_shifts,
    show,
    small_targets,
    violations,
)
from tests.browser.conftest import RunningSite, SignIn, through_the_page

THINGS = """
from datetime import timedelta
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from allauth.mfa.models import Authenticator
from accounts.models import Invitation, User
from audit.models import AuditEvent
from files.access.principals import Person
from files.folders import making
from files.models import FileRecord, Folder, Grant, StoredObject
from files.sharing import granting
from files.tree import placing
from files.vault import storing
import audit

alice, root = (User.objects.get(username=name) for name in ("alice", "root"))
# One of their own: whoever has a second factor is asked for it at every sign-in of other tests.
dora = User.objects.create_user("dora", "dora@example.org")
now = timezone.now()
name = "Administered: a report whose name is long enough to need a second line in any list.pdf"
names = [f"0 {name}", "Administered_" + 100 * "x", f"2 {name}"]
files = [storing.store(alice, [b"content"], name=name) for name in names]
case = making.create_folder(
    placing.root_of(alice), "Administered case", by=Person(alice), actor=alice
)
team = Group.objects.create(name="Administered team")
team.user_set.add(alice, dora)
for item, to in ((files[0], {"user": dora}), (files[1], {"group": team}), (case, {"user": dora})):
    where = {"folder" if isinstance(item, Folder) else "file": item}
    until = now + timedelta(days=3)
    grant = granting.grant(Grant(**where, **to, level="download", expires_at=until), actor=root)
StoredObject.objects.filter(pk=files[2].current_id).update(state="damaged")
invitation = Invitation.objects.create(
    email="administered@example.org", token_hash="administered", invited_by=root, sent_at=now,
    expires_at=now + timedelta(days=1),
)
factor = Authenticator.objects.create(user=dora, type="totp", data={})
audit.record(audit.Event.LOCKED_OUT, user_id=dora.pk, username="dora")
event = AuditEvent.objects.filter(file_id=files[0].pk).first()

ROWS = {FileRecord: files[0], Folder: case, Grant: grant, User: dora, Group: team}
ROWS |= {Invitation: invitation, Authenticator: factor, AuditEvent: event}
PAGES = ("changelist", "add", "change", "history", "delete", "access", "transfer")
admin.autodiscover()
for model in admin.site._registry:
    row = ROWS.get(model) or model.objects.first()
    for page in PAGES:
        if page not in ("changelist", "add") and row is None:
            continue
        arguments = [] if page in ("changelist", "add") else [row.pk]
        route = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        try:
            print("page", page, reverse(route, args=arguments))
        except NoReverseMatch:
            pass
for route in ("index", "password_change", "files_filerecord_sharing"):
    print("page", route, reverse(f"admin:{route}"))
print("page app_list", reverse("admin:app_list", args=["files"]))
print("page password_of", reverse("admin:auth_user_password_change", args=[dora.pk]))
for query in ("status=expiring", "status=revoked", "q=nothing-is-called-so"):
    print("page", query, reverse("admin:files_grant_changelist") + "?" + query)
print("page damaged", reverse("admin:files_filerecord_changelist") + "?state=damaged")
print("page access_not_had", reverse("admin:accounts_user_access", args=[dora.pk]) + "?show=not")
"""
"""Makes one row of each model, and prints all pages there are: their kind, and the address."""

PICTURES = {
    "/admin/": "administration",
    "/admin/accounts/user/": "administration-people",
    "/admin/accounts/user/add/": "administration-add-a-person",
    "/admin/files/filerecord/": "administration-files",
    "/admin/files/filerecord/sharing/": "administration-who-may-share",
    "/admin/files/grant/": "administration-shares",
    "/admin/files/grant/add/": "administration-add-a-share",
    "/admin/files/folder/": "administration-folders",
    "/admin/files/masterkey/": "administration-master-keys",
    "/admin/audit/auditevent/": "administration-audit",
}
"""The pages that the gallery shows, and what it calls them."""

CLOSED = {403, 404}
"""Nobody adds a file here, or deletes an event: those pages are no pages."""


@pytest.fixture(scope="module")
def pages(site: RunningSite) -> dict[str, str]:
    """The addresses of all pages of the administration, each with its kind."""
    lines = site.run(THINGS).splitlines()
    found = [line.split() for line in lines if line.startswith("page ")]
    return {address: kind for _, kind, address in found}


@pytest.fixture
def staff(browser: Browser, site: RunningSite, sign_in: SignIn) -> Iterator[Page]:
    """A superuser's tab."""
    with browser.new_context(base_url=site.url, locale="en-GB") as context:
        note_shifts(context)
        page = context.new_page()
        sign_in(page, "root", to="/admin/")
        yield page


def looked_at(page: Page, address: str, looks: Sequence[Look]) -> Iterator[str]:
    """What is wrong with the page that was just opened, at 1280 pixels and in the light."""
    yield from moves(page)
    # Every column of a list is seen at once.
    inner = page.locator(".results, .tabular").evaluate_all(
        "(all) => all.map((one) => one.scrollWidth - one.clientWidth)"
    )
    yield from (f"scrolls within itself by {by}" for by in inner if by > 1)
    if address in PICTURES:
        gallery.take(page, PICTURES[address])
    for width, theme in looks:
        show(page, width, theme)
        yield from (f"{width} {theme}: is too wide: {one}" for one in beside_the_window(page))
        yield from (f"{width} {theme}: is too small: {one}" for one in small_targets(page))
        told = violations(page, COLOURS if theme == "forced" else ())
        yield from (f"{width} {theme}: {one}" for one in told)
    if looks[-1][0] == NARROW:
        page.reload()  # Narrow, as it was seen last.
        yield from (f"{NARROW}: {one}" for one in moves(page))


@pytest.mark.timeout(1100)
@pytest.mark.parametrize(
    "whole", [pytest.param(False, id="in turn"), pytest.param(True, marks=pytest.mark.soak)]
)
def test_every_page_fits_stays_and_is_clean(
    staff: Page, pages: dict[str, str], whole: bool
) -> None:
    seen, wrong, kinds = 0, [], set()
    for address, kind in pages.items():
        make_ready(staff, WIDE, "light")
        response = staff.goto(address)
        assert response is not None
        if response.status in CLOSED:
            continue
        assert response.status == 200, address
        seen += 1
        looks = LOOKS if whole or kind not in kinds else IN_TURN[seen % len(IN_TURN)]
        kinds.add(kind)
        wrong += [f"{address} {one}" for one in looked_at(staff, address, looks)]
    assert seen > 40
    assert wrong == []


def test_what_moves_or_is_wrong_is_noticed(staff: Page) -> None:
    """The looking itself can fail."""
    page = staff
    page.goto("/admin/")
    page.evaluate(
        """() => {
          const main = document.querySelector("main");
          main.insertAdjacentHTML("afterbegin", "<input class=wide><select></select>");
          document.querySelector(".wide").style.cssText = "width: 1500px; height: 300px";
        }"""
    )
    assert moved(page)[0] > STEADY
    assert beside_the_window(page)
    assert {one.split(":")[0] for one in violations(page)} >= {"label", "select-name"}


def test_menus_of_filters_close_and_say_what_is_chosen(page: Page, sign_in: SignIn) -> None:
    sign_in(page, "root", to="/admin/files/grant/?status=live")
    menu = page.locator("details.filter").first
    expect(menu.locator("summary")).to_contain_text("active")
    menu.locator("summary").press("Enter")
    expect(menu.get_by_role("link", name="ends within 7 days")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").click()
    page.get_by_role("heading", level=1).click()
    expect(menu).not_to_have_attribute("open", "")


def test_the_front_page_leads_to_what_needs_attention(
    page: Page, sign_in: SignIn, pages: dict[str, str]
) -> None:
    sign_in(page, "root", to="/admin/")
    page.get_by_role("link", name="damaged file").click()
    expect(page.locator("#result_list .status.ill").first).to_have_text("damaged")
    page.goto("/admin/")
    page.get_by_role("link", name="end within 7 days").click()
    expect(page.locator("#result_list .status").first).to_have_text("ends soon")


def test_the_administration_works_without_a_script(plain: Page, pages: dict[str, str]) -> None:
    page = plain
    through_the_page(page, "root")
    page.goto("/admin/files/grant/")
    page.locator("details.filter summary").first.click()
    page.get_by_role("link", name="ends within 7 days").click()
    page.locator("#result_list tbody th a").first.click()
    page.locator("#id_expires_at").fill("2031-02-03T04:05")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
