"""The table of all pages outside the administration, in each state that people meet them in.

It goes by the URL configuration: every path has its states in `PAGES`, or a word in `NO_PAGE` why
it shows none. `test_every_page.py` fails where one has neither, walks over all states, holds each
against what every page is held against, and takes the pictures of the gallery. To add a page, give
its name a `State`: who looks, where, and what they do there to reach it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import BrowserContext, Page, expect

from tests import documents
from tests.browser.conftest import PASSWORD, RunningSite, plug_in_a_passkey

World = Mapping[str, str]
"""What there is: names of things, and their ids and addresses."""

Act = Callable[[Page, World], object]

PASSPHRASE = "violet tractor mumbles sixteen"
LONG = "Minutes of the meeting of the committee for buildings and grounds, second reading"

NOBODY, OWNER, NEWCOMER, READER = "nobody", "paula", "nadia", "rita"
FACTORS, LIMITED = "sam", "tom"
PEOPLE = (OWNER, NEWCOMER, READER, FACTORS, LIMITED)


@dataclass(frozen=True)
class State:
    """One state of a page.

    `path` may name things of the world. Where `act` is given, it is what `who` does on that page to
    reach the state. `picture` names it in the gallery.
    """

    who: str
    path: str
    act: Act | None = None
    status: int = 200
    picture: str = ""

    def open(self, page: Page, world: World) -> None:
        """Go there. What the page before had in this browser is forgotten."""
        page.evaluate("try { localStorage.clear(); } catch {}")
        response = page.goto(self.path.format_map(world))
        assert response is not None
        assert response.status == self.status, f"{response.status} at {page.url}"


# --- What there is --------------------------------------------------------------------------------

MAKE = """
import json, sys
from datetime import timedelta
from pathlib import Path
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from accounts import invitations
from accounts.models import Invitation, User
from files.access.principals import Person
from files.folders import making, trash
from files.keys.custody import UserKey
from files.models import Conflict, FileRecord, Grant, StoredObject
from files.sharing import asking, granting, requests, senders
from files.sharing.links import making as link_making
from files.tree import placing
from files.vault import storing, versions
from files.vault.destinations import Destination

CONTENTS = Path({folder!r})
people = {{name: User.objects.get(username=name) for name in {people!r}}}
paula, rita, sam, tom = (people[n] for n in ("paula", "rita", "sam", "tom"))
by = {{"by": Person(paula), "actor": paula}}
now, world = timezone.now(), {{}}
root = placing.root_of(paula)

def folder(word, name, parent=root):
    made = making.create_folder(parent, name, **by)
    world[word] = str(made.pk)
    return made

def file(word, name, kind, content=None, to=root, key=None, conflict=Conflict.RENAME):
    content = (CONTENTS / word).read_bytes() if content is None else content
    made = storing.store(paula, [content], name=name, content_type=kind, key=key,
        destination=Destination(folder=to, conflict=conflict))
    world[word] = str(made.pk)
    return made

cases = folder("folder", "Cases")
inside = folder("inside", "Spring, summer", cases)
folder("hollow", "Nothing in it yet")
gone_folder = folder("gone_folder", "Old drafts")
pdf = file("pdf", "Quarterly report 2026.pdf", "application/pdf", to=cases)
file("image", "Site plan.png", "image/png")
file("text", "Notes.md", "text/markdown")
file("audio", "Interview.wav", "audio/wav")
file("broken", "Cut off.png", "image/png", b"\\x89PNG\\r\\n\\x1a\\n" + bytes(99))
file("page", "Saved page.html", "text/html", b"<!doctype html><p>x")
named = file("file", {long!r} + ".docx", "application/msword", bytes(48_211))
arabic = "\u062a\u0642\u0631\u064a\u0631 \u0633\u0646\u0648\u064a.pdf"
file("arabic", arabic, "application/pdf", b"%PDF-1.7")
damaged = file("damaged", "Inventory.csv", "text/csv", b"a;b;c" * 99)
StoredObject.objects.filter(pk=damaged.current_id).update(state="damaged")
file("versioned", "Contract.txt", "text/plain", b"first")
for content in (b"second", b"third"):
    file("versioned", "Contract.txt", "text/plain", content, conflict=Conflict.VERSION)
former = versions.of(FileRecord.objects.get(pk=world["versioned"]))[0]
world["version"] = str(former.version)
world["key"] = Fernet.generate_key().decode()
file("locked", "Witness statement.txt", "text/plain", b"locked" * 9, key=UserKey(world["key"]))
another = UserKey(Fernet.generate_key().decode())
file("unsaved", "Medical record.txt", "text/plain", b"locked" * 9, key=another)
for n in range(60):
    file(f"many{{n}}", f"Attachment {{n:02}}.jpg", "image/jpeg", bytes(1000 + 97 * n), to=inside)
outside = Permission.objects.filter(codename__in=["add_request", "add_link"])
paula.user_permissions.add(*outside)
paula = User.objects.get(pk=paula.pk)
words = "Please send your application as PDF, with all certificates."
def ask(word, **terms):
    made, token = requests.make(cases, requests.Terms(**terms), by=Person(paula), actor=paula)
    world[word] = token
    return made
def link(word, item, **terms):
    world[word] = link_making.make(item, link_making.Terms(**terms), actor=paula).text
link("link", pdf, label="For the auditors", most=3)
link("link_word", pdf, password="told on the telephone")
link("link_folder", cases)
open_one = ask("asked", title="Your application", words=words)
world["request"] = str(open_one.pk)
ask("asked_code", title="Minutes", identify="code", addresses=["ann@example.org"])
held_back = ask("asked_waiting", title="Letters to the editor", accept_first=True)
world["waiting_request"] = str(held_back.pk)
for one in (open_one, held_back):
    sender = senders.admit(one, name="Ann Example")
    sender.request = one
    for n in (1, 2):
        storing.store(paula, [b"x" * 900], name=f"Letter {{n}}.pdf", content_type="application/pdf",
            destination=Destination.through(sender))
gone = file("gone", "Superseded.txt", "text/plain", b"x" * 2_000)
for item in (gone, gone_folder):
    trash.put_away(item, **by)
for n in range(4):
    file(f"done{{n}}", f"To be tidied away {{n}}.txt", "text/plain", b"x", to=inside)

team = Group.objects.create(name="Editorial team")
team.user_set.add(rita, people["nadia"])
def share(item, level="download", **to):
    where = "file" if hasattr(item, "current_id") else "folder"
    until = now + timedelta(days=30)
    return granting.grant(Grant(**{{where: item}}, **to, level=level, expires_at=until,
        reason="for the audit"), actor=paula)
team.user_set.remove(people["nadia"])
share(named, user=rita)
share(named, group=team)
share(pdf, user=rita)
share(cases, level="add", user=rita)
ended = share(named, user=tom)
granting.revoke(ended, actor=paula)
share(pdf, user=tom)

readers = Group.objects.create(name="Readers of the pages")
wanted = ("add_filerecord", "download_filerecord")
readers.permissions.set(Permission.objects.filter(codename__in=wanted))
tom.groups.set([readers])
world["toms"] = str(storing.store(tom, [b"x"], name="Draft of Tom.txt").pk)

for word in ("asks", "declined"):
    wanted = FileRecord.objects.get(pk=world["text" if word == "asks" else "image"]).pk
    asked = asking.ask(rita, "file", wanted, "I take the minutes at the meeting on Thursday.")
    world[word] = str(asked.pk)
asking.decline(asked, "It is not finished.", **by)

TOTP.activate(sam, generate_totp_secret())
world["codes"] = " ".join(RecoveryCodes.activate(sam).generate_codes())

address, _ = EmailAddress.objects.get_or_create(user=rita, email="rita@example.org",
    defaults=dict(primary=True, verified=False))
EmailAddress.objects.filter(pk=address.pk).update(verified=False)
address.refresh_from_db()
world["confirmation"] = EmailConfirmationHMAC(address).key
# Of somebody who signs in in no walk: that ends what was sent before.
nora = User.objects.create_user("nora", "nora@example.org", "has been forgotten since")
world["reset"] = f"{{user_pk_to_url_str(nora)}}-{{default_token_generator.make_token(nora)}}"
world["invitation"] = "an-invitation-of-the-walk-over-all-pages"
Invitation.objects.create(email="walk@example.org", invited_by=paula, sent_at=now,
    token_hash=invitations.hash_of(world["invitation"]), expires_at=now + timedelta(days=1))
print("world", json.dumps(world))
"""


@cache
def world_of(site: RunningSite) -> World:
    """All that the states need, with people of their own: made once at each site."""
    texts = [f"Quarterly report 2026, page {n}" for n in range(1, 9)]
    contents = {
        "pdf": documents.pdf(texts),
        "image": documents.png(900, 600),
        "text": b"# Notes\n\n- call the architect\n- send the plan\n" * 6,
        "audio": documents.wav(2.0),
    }
    site.members(*PEOPLE)
    site.let_members_share()
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        printed = site.run(MAKE.format(folder=folder, people=PEOPLE, long=LONG))
    world: dict[str, str] = json.loads(printed.split("world ", 1)[1])
    return world


def entered(context: BrowserContext, who: str, world: World) -> Page:
    """A tab in which that person has signed in."""
    page = context.new_page()
    if who != NOBODY:
        page.goto("/accounts/login/")
        _sign_in(page, who)
        if who == FACTORS:
            _code(page, world)
        page.wait_for_url("**/files/")
    if who == FACTORS:
        _add_passkey(page)
    return page


def _sign_in(page: Page, who: str) -> None:
    page.fill("input[name=login]", who)
    page.fill("input[name=password]", PASSWORD)
    page.locator("main form").first.locator("button[type=submit]").click()


def _code(page: Page, world: World) -> None:
    page.fill("input[name=code]", world["codes"].split()[0])
    page.locator("main form").first.locator("button[type=submit]").first.click()


def _add_passkey(page: Page) -> None:
    plug_in_a_passkey(page)
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("main input[name=name]", "Key on the desk")
    page.locator("main form button[type=submit]").click()
    expect(page).not_to_have_url(re.compile("/webauthn/add/"), timeout=30_000)


# --- What people do -------------------------------------------------------------------------------


def fill(*fields: tuple[str, str]) -> Act:
    """Fill these fields, by their names, and send their form."""

    def act(page: Page, world: World) -> None:
        for name, value in fields:
            page.fill(f"main [name={name}]:not([type=radio])", value.format_map(world))
        page.locator(
            f"main form:has([name={fields[-1][0]}]:not([type=radio])) button[type=submit]"
        ).first.click()
        page.wait_for_load_state()

    return act


def press(name: str, *, role: str = "button") -> Act:
    def act(page: Page, world: World) -> None:
        main = page.get_by_role("main")
        main.get_by_role("button" if role == "button" else "link", name=name).first.click()
        page.wait_for_load_state()

    return act


def then(*acts: Act) -> Act:
    def all_of_them(page: Page, world: World) -> None:
        for act in acts:
            act(page, world)

    return all_of_them


def open_menu(page: Page, world: World) -> None:
    page.locator("header .menu > summary").click()


def unfold(page: Page, world: World) -> None:
    """Open what is folded in the page."""
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")


def choose(*rows: int) -> Act:
    def act(page: Page, world: World) -> None:
        for row in rows:
            page.locator("td.pick input").nth(row).check()

    return act


def shown(page: Page, world: World) -> None:
    """Wait until the viewer shows the file."""
    expect(page.locator("[data-viewer]")).to_have_attribute("data-state", "shown", timeout=30_000)


def failed(page: Page, world: World) -> None:
    page.locator("[data-problem]").wait_for()


def name_people(*names: str) -> Act:
    def act(page: Page, world: World) -> None:
        field = page.get_by_label("Share with", exact=True)
        field.fill("; ".join(names))
        field.press("Enter")
        expect(field).to_have_value("")

    return act


def share(page: Page, world: World) -> None:
    page.get_by_role("button", name="Share", exact=True).click()
    page.wait_for_load_state()


def suggestions(page: Page, world: World) -> None:
    page.get_by_label("Share with", exact=True).press_sequentially("edi")
    expect(page.get_by_role("option").first).to_be_visible()


def on_a_date(page: Page, world: World) -> None:
    page.get_by_label("Until", exact=True).select_option("on a date…")


def _upload(page: Page, names: list[str], size: int) -> None:
    page.evaluate(
        """([names, size]) => {
          const dataTransfer = new DataTransfer();
          for (const name of names) {
            dataTransfer.items.add(new File([name.padEnd(size, ".")], name));
          }
          for (const kind of ["dragover", "drop"]) {
            const how = { bubbles: true, cancelable: true, dataTransfer };
            document.querySelector("main").dispatchEvent(new DragEvent(kind, how));
          }
        }""",
        [names, size],
    )


def uploads_open(page: Page, world: World) -> None:
    """One is stored, one stands still on its way, and one was refused."""
    _upload(page, ["Stored at once.txt"], 200)
    expect(page.locator("#transfers [data-part=summary]")).to_have_text(
        "All done: 1 file stored.", timeout=30_000
    )
    page.route("**/uploads/*", lambda route: route.abort("connectionreset"))
    page.route("**/uploads/", lambda route: route.abort("connectionreset"))
    _upload(page, ["Held up on its way, with a rather long name.bin", "Another.bin"], 3 << 20)
    expect(page.locator(".transfer")).to_have_count(2)
    pause = page.locator("#transfers [data-part=pause-all]")
    pause.click()
    page.unroute("**/uploads/*")
    page.unroute("**/uploads/")


def keys_made(page: Page, world: World) -> None:
    page.locator("details.custody > summary").click()
    page.locator("#custody_held").check()
    files = [
        {"name": f"Locked {n}.txt", "mimeType": "text/plain", "buffer": b"locked"} for n in (1, 2)
    ]
    page.locator("input[name=files]").set_input_files(files)  # type: ignore[arg-type]
    page.locator("#new-keys [data-key]").nth(1).wait_for(timeout=30_000)


def keep_it(page: Page, world: World) -> None:
    page.locator("details.custody > summary").click()
    page.locator("#custody_held").check()


def ordinary_upload(page: Page, world: World) -> None:
    """As a browser without scripts sends it: a name of which nothing is left is refused."""
    page.evaluate(
        """() => {
          const form = document.querySelector("[data-upload-form]");
          const field = form.querySelector("[name=files]");
          const carried = new DataTransfer();
          carried.items.add(new File(["x"], "\\u202e"));
          field.files = carried.files;
          HTMLFormElement.prototype.submit.call(form);
        }"""
    )
    page.locator(".notice.error").wait_for()


def sent(page: Page, world: World) -> None:
    """Send two files through a request, and look at the receipt."""
    files = [
        {"name": f"Letter {n}.txt", "mimeType": "text/plain", "buffer": b"letter"} for n in (1, 2)
    ]
    page.locator("input[name=files]").set_input_files(files)  # type: ignore[arg-type]
    receipt = page.locator("#transfers").get_by_role("link", name="Receipt of what was sent")
    receipt.click(timeout=30_000)
    page.get_by_role("heading", name="Thank you").wait_for()


def put_away_some(page: Page, world: World) -> None:
    choose(0, 1)(page, world)
    page.get_by_role("group", name="With what is chosen").get_by_role(
        "button", name="Delete"
    ).click()
    page.get_by_role("button", name="Undo").wait_for()


def zip_of_locked(page: Page, world: World) -> None:
    for name in ("Witness statement.txt", "Notes.md"):
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Download as ZIP").click()
    page.get_by_role("heading", name="Download as ZIP").wait_for()


def of_a_program(page: Page, world: World) -> None:
    """Type the code that a program says."""
    answer = page.request.post(
        "/accounts/programs/begin/", form={"name": "Backup", "scope": "read"}
    )
    page.fill("input[name=code]", answer.json()["user_code"])
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/programs/confirm/")


def at_the_second_step(page: Page, world: World) -> None:
    _sign_in(page, FACTORS)
    page.locator("input[name=code]").wait_for()


# --- The table ------------------------------------------------------------------------------------

FILE, FOLDER = "/files/{file}/", "/folders/{folder}/"
AUTHORIZE = (
    "/accounts/programs/authorize/?response_type=code&name=Backup&scope=read&state=x"
    "&redirect_uri=http://127.0.0.1:4000/&code_challenge_method=S256&code_challenge=" + 43 * "c"
)
NOT_THERE = "/files/00000000-0000-4000-8000-000000000000/"
ASK = "/asked/new/?file=00000000-0000-4000-8000-000000000000"
SHARE = "/files/{text}/grants/"
SHARE_SEVERAL = "/files/share/?file={text}&folder={folder}&back=/files/"
SECOND = "/accounts/2fa/"

PAGES: dict[str, tuple[State, ...]] = {
    "files:list": (
        State(OWNER, "/files/", picture="files"),
        State(OWNER, "/files/?sort=-size"),
        State(OWNER, "/files/?q=re", picture="search"),
        State(OWNER, "/files/?q=nothing+is+called+so", picture="search-without-result"),
        State(OWNER, "/files/", choose(1, 2, 3), picture="several-chosen"),
        State(OWNER, "/files/", open_menu, picture="menu"),
        State(OWNER, "/files/", uploads_open, picture="uploads"),
        State(NEWCOMER, "/files/", picture="files-empty"),
        State(READER, "/files/"),
        State(LIMITED, "/files/"),
    ),
    "files:download_several": (State(OWNER, "/files/", zip_of_locked, picture="zip-left-out"),),
    "files:share_several": (
        State(OWNER, SHARE_SEVERAL, picture="share-several"),
        State(LIMITED, "/files/share/?file={toms}&back=/files/", status=403),
    ),
    "files:move_several": (
        State(OWNER, "/files/move/?file={text}&file={audio}&back=/files/", picture="move-several"),
    ),
    "files:upload": (
        State(OWNER, "/files/upload/", picture="upload"),
        State(OWNER, "/files/upload/?folder={folder}"),
        State(OWNER, "/files/upload/", keep_it, picture="upload-locked"),
        State(OWNER, "/files/upload/", ordinary_upload),
        State(OWNER, "/files/upload/", keys_made, picture="keys-made"),
    ),
    "files:detail": (
        State(OWNER, FILE, unfold, picture="file"),
        State(OWNER, "/files/{pdf}/"),
        State(OWNER, "/files/{locked}/", picture="file-locked"),
        State(OWNER, "/files/{unsaved}/"),
        State(OWNER, "/files/{damaged}/", picture="file-damaged"),
        State(OWNER, "/files/{locked}/", fill(("key", "{key}"))),
        State(READER, FILE, picture="file-shared-with-me"),
        State(READER, NOT_THERE, status=404, picture="not-found"),
    ),
    "files:view": (
        State(OWNER, "/files/{pdf}/view/", shown, picture="view-pdf"),
        State(OWNER, "/files/{image}/view/", shown, picture="view-picture"),
        State(OWNER, "/files/{text}/view/", shown, picture="view-text"),
        State(OWNER, "/files/{audio}/view/", shown, picture="view-sound"),
        State(OWNER, "/files/{broken}/view/", failed, picture="view-failed"),
        State(OWNER, "/files/{page}/view/"),
        State(OWNER, "/files/{unsaved}/view/", status=403),
        State(OWNER, "/files/{damaged}/view/", status=502),
    ),
    "files:download": (
        State(OWNER, "/files/{unsaved}/download/", status=403, picture="locked"),
        State(OWNER, "/files/{damaged}/download/", status=502),
    ),
    "files:unlock": (
        State(OWNER, "/files/{unsaved}/", fill(("key", "wrong")), picture="wrong-key"),
    ),
    "files:reencrypt": (State(OWNER, "/files/{unsaved}/reencrypt/", picture="encrypt-anew"),),
    "files:key": (State(OWNER, "/files/{unsaved}/key/", picture="key"),),
    "files:versions": (
        State(OWNER, "/files/{versioned}/versions/", picture="versions"),
        State(OWNER, "/files/{text}/versions/"),
    ),
    "files:version_view": (State(OWNER, "/files/{versioned}/versions/{version}/view/", shown),),
    "files:history": (State(OWNER, "/files/{file}/history/", picture="history"),),
    "files:links": (State(OWNER, "/files/{file}/links/", picture="links"),),
    "files:read_by": (State(OWNER, FILE + "read-by/", picture="read-by"),),
    "files:grants": (
        State(OWNER, SHARE, picture="share"),
        State(OWNER, SHARE, suggestions, picture="share-suggestions"),
        State(OWNER, SHARE, then(name_people("nobody at all"), on_a_date, share)),
        State(
            OWNER,
            SHARE,
            then(name_people("rita", "Editorial team"), share),
            picture="shared-just-now",
        ),
        State(OWNER, SHARE, press("Stop sharing with rita"), picture="share-stopped"),
        State(
            OWNER,
            "/files/{locked}/grants/",
            then(name_people("rita"), share),
            picture="hand-over-key",
        ),
        State(LIMITED, "/files/{toms}/grants/", status=403, picture="may-not-share"),
    ),
    "files:rename": (
        State(OWNER, FILE + "rename/", picture="rename"),
        State(OWNER, FILE + "rename/", fill(("name", "Notes.md"))),
    ),
    "files:move": (
        State(OWNER, FILE + "move/", picture="move"),
        State(OWNER, FILE + "move/?in={folder}"),
        State(OWNER, FILE + "move/?q=nothing"),
    ),
    "files:delete": (
        State(OWNER, FILE + "delete/", picture="delete"),
        State(OWNER, "/files/{gone}/delete/", picture="delete-for-good"),
        State(OWNER, "/files/{gone}/delete/", press("Delete for good")),
    ),
    "files:restore": (State(OWNER, "/files/{gone}/restore/", picture="bring-back"),),
    "folders:detail": (
        State(OWNER, FOLDER, picture="folder"),
        State(OWNER, "/folders/{inside}/"),
        State(OWNER, "/folders/{hollow}/", picture="folder-empty"),
        State(OWNER, FOLDER + "?q=nothing"),
        State(OWNER, "/folders/{inside}/", put_away_some, picture="put-away"),
        State(READER, FOLDER),
    ),
    "folders:new_in_root": (
        State(OWNER, "/folders/new/", picture="new-folder"),
        State(OWNER, "/folders/new/", fill(("name", "CASES"))),
    ),
    "folders:new": (State(OWNER, FOLDER + "new/"),),
    "folders:grants": (State(OWNER, FOLDER + "grants/"),),
    "folders:read_by": (
        State(OWNER, FOLDER + "read-by/", picture="folder-read-by"),
        State(OWNER, FOLDER + "read-by/", press("0 of", role="link")),
        State(READER, FOLDER + "read-by/", status=403),
    ),
    "folders:requests": (
        State(OWNER, FOLDER + "requests/", picture="requests"),
        State(OWNER, FOLDER + "requests/", fill(("title", "Papers"), ("days", "7"))),
        State(OWNER, FOLDER + "requests/", fill(("title", "Papers"), ("days", "4000"))),
        State(READER, FOLDER + "requests/", status=403),
    ),
    "folders:request": (
        State(OWNER, FOLDER + "requests/{request}/", picture="request"),
        State(OWNER, FOLDER + "requests/{waiting_request}/", picture="request-waiting"),
    ),
    "links:door": (
        State(NOBODY, "/l/{link}/", picture="link"),
        State(NOBODY, "/l/{link_word}/", picture="link-with-password"),
        State(NOBODY, "/l/{link_word}/", fill(("password", "another"))),
        State(NOBODY, "/l/{link_folder}/", picture="link-to-a-folder"),
        State(NOBODY, "/l/nothing/", status=404),
    ),
    "links:folder": (State(NOBODY, "/l/{link_folder}/folders/{inside}/"),),
    "links:file": (State(NOBODY, "/l/{link_folder}/files/{pdf}/"),),
    "links:zip": (State(NOBODY, "/l/{link_folder}/zip/"),),
    "folders:links": (State(OWNER, FOLDER + "links/"),),
    "asked": (
        State(NOBODY, "/r/{asked}/", picture="asked"),
        State(NOBODY, "/r/{asked_code}/"),
        State(NOBODY, "/r/{asked_code}/", fill(("email", "ann@example.org")), picture="asked-code"),
        State(NOBODY, "/r/{asked}/", fill(("name", "Ann Example")), picture="asked-send"),
        State(NOBODY, "/r/nothing/", status=404, picture="asked-over"),
    ),
    "asked_receipt": (
        State(NOBODY, "/r/{asked}/", then(fill(("name", "Ann")), sent), picture="asked-receipt"),
    ),
    "folders:rename": (State(OWNER, FOLDER + "rename/"),),
    "folders:move": (State(OWNER, FOLDER + "move/"),),
    "folders:delete": (
        State(OWNER, FOLDER + "delete/"),
        State(READER, FOLDER + "delete/", status=403),
    ),
    "folders:restore": (State(OWNER, "/folders/{gone_folder}/restore/"),),
    "folders:zip": (State(OWNER, FOLDER + "zip/", picture="zip"),),
    "own_links": (
        State(OWNER, "/links/", picture="own-links"),
        State(NEWCOMER, "/links/"),
    ),
    "ask_for_access": (
        State(READER, ASK, picture="ask-for-access"),
        State(READER, ASK, fill(("reason", "  "))),
    ),
    "access_requests": (
        State(OWNER, "/asked/", picture="access-requests"),
        State(READER, "/asked/"),
        State(READER, ASK, fill(("reason", "I review the contract.")), picture="has-asked"),
    ),
    "access_request": (
        State(OWNER, "/asked/{asks}/", picture="answer-a-request"),
        State(OWNER, "/asked/{declined}/"),
    ),
    "shared": (
        State(READER, "/shared/", picture="shared"),
        State(NEWCOMER, "/shared/", picture="shared-empty"),
    ),
    "notices:list": (
        State(READER, "/notices/", picture="notices"),
        State(NEWCOMER, "/notices/"),
    ),
    "recent": (
        State(OWNER, "/recent/", picture="recent"),
        State(NEWCOMER, "/recent/"),
    ),
    "trash": (
        State(OWNER, "/trash/", picture="trash"),
        State(NEWCOMER, "/trash/", picture="trash-empty"),
    ),
    "account_login": (
        State(NOBODY, "/accounts/login/", picture="sign-in"),
        State(NOBODY, "/accounts/login/", fill(("login", "nobody"), ("password", "wrong"))),
    ),
    "account_logout": (State(OWNER, "/accounts/logout/", picture="sign-out"),),
    "account_inactive": (State(NOBODY, "/accounts/inactive/"),),
    "account_signup": (State(NOBODY, "/accounts/signup/", picture="how-to-get-an-account"),),
    "account_email_verification_sent": (State(NOBODY, "/accounts/confirm-email/"),),
    "account_confirm_email": (
        State(NOBODY, "/accounts/confirm-email/none/"),
        State(NOBODY, "/accounts/confirm-email/{confirmation}/", picture="confirm-address"),
    ),
    "account_reset_password": (
        State(NOBODY, "/accounts/password/reset/", picture="reset-password"),
        State(NOBODY, "/accounts/password/reset/", fill(("email", "nobody@example.org"))),
    ),
    "account_reset_password_done": (State(NOBODY, "/accounts/password/reset/done/"),),
    "account_reset_password_from_key": (
        State(NOBODY, "/accounts/password/reset/key/1-none/"),
        State(NOBODY, "/accounts/password/reset/key/{reset}/", picture="new-password"),
        State(
            NOBODY,
            "/accounts/password/reset/key/{reset}/",
            fill(("password1", "short"), ("password2", "other")),
        ),
    ),
    "account_reset_password_from_key_done": (State(NOBODY, "/accounts/password/reset/key/done/"),),
    "account_reauthenticate": (
        State(OWNER, "/accounts/reauthenticate/", picture="confirm-it-is-you"),
    ),
    "account": (
        State(OWNER, "/accounts/", picture="account"),
        State(FACTORS, "/accounts/"),
    ),
    "account_email": (
        State(OWNER, "/accounts/email/", picture="addresses"),
        State(OWNER, "/accounts/email/", fill(("email", "not an address@x"))),
    ),
    "account_change_password": (
        State(OWNER, "/accounts/password/change/", picture="change-password"),
        State(
            OWNER,
            "/accounts/password/change/",
            fill(("oldpassword", "wrong"), ("password1", "short"), ("password2", "other")),
        ),
    ),
    "mfa_authenticate": (
        State(NOBODY, "/accounts/login/", at_the_second_step, picture="second-factor-asked"),
        State(NOBODY, "/accounts/login/", then(at_the_second_step, fill(("code", "000000")))),
    ),
    "mfa_index": (
        State(NEWCOMER, SECOND, picture="second-factor"),
        State(FACTORS, SECOND),
    ),
    "mfa_reauthenticate": (State(FACTORS, SECOND + "reauthenticate/"),),
    "mfa_activate_totp": (
        State(NEWCOMER, SECOND + "totp/activate/", unfold, picture="authenticator-app"),
        State(NEWCOMER, SECOND + "totp/activate/", fill(("code", "000000"))),
    ),
    "mfa_deactivate_totp": (State(FACTORS, SECOND + "totp/deactivate/"),),
    "mfa_view_recovery_codes": (
        State(FACTORS, SECOND + "recovery-codes/", picture="recovery-codes"),
    ),
    "mfa_generate_recovery_codes": (State(FACTORS, SECOND + "recovery-codes/generate/"),),
    "mfa_list_webauthn": (
        State(FACTORS, SECOND + "webauthn/", picture="passkeys"),
        State(NEWCOMER, SECOND + "webauthn/"),
    ),
    "mfa_add_webauthn": (State(NEWCOMER, SECOND + "webauthn/add/", picture="add-passkey"),),
    "mfa_edit_webauthn": (State(FACTORS, SECOND + "webauthn/", press("Rename", role="link")),),
    "mfa_remove_webauthn": (State(FACTORS, SECOND + "webauthn/", press("Remove", role="link")),),
    "mfa_reauthenticate_webauthn": (State(FACTORS, SECOND + "webauthn/reauthenticate/"),),
    "tokens": (
        State(OWNER, "/accounts/tokens/", picture="tokens"),
        State(NEWCOMER, "/accounts/tokens/"),
    ),
    "token_new": (State(OWNER, "/accounts/tokens/new/", picture="new-token"),),
    "command": (State(OWNER, "/accounts/command/", picture="command"),),
    "program_authorize": (State(OWNER, AUTHORIZE, picture="program-allowed"),),
    "program_code": (
        State(OWNER, "/accounts/programs/code/", picture="program-code"),
        State(OWNER, "/accounts/programs/code/", fill(("code", "XXXX-XXXX"))),
    ),
    "program_confirm": (
        State(OWNER, "/accounts/programs/code/", of_a_program, picture="program-confirmed"),
    ),
    "usersessions_list": (State(OWNER, "/accounts/sessions/", picture="sessions"),),
    "invitation": (
        State(NOBODY, "/accounts/invitation/", status=410),
        State(NOBODY, "/accounts/invitation/{invitation}/", picture="invitation"),
        State(
            NOBODY,
            "/accounts/invitation/{invitation}/",
            fill(("username", "paula"), ("password1", "short"), ("password2", "other")),
        ),
        State(OWNER, "/accounts/invitation/{invitation}/"),
    ),
}

NOT_ASKED_FOR = "only takes forms"
NO_PAGE: dict[str, str] = {
    "home": "leads to the list",
    "healthz": "for programs",
    "readyz": "for programs",
    "metrics": "for programs",
    "jsi18n": "a script",
    "suggest_people": "for the script that suggests",
    "links:download": "a file",
    "links:file_download": "a file",
    "asked_send": NOT_ASKED_FOR,
    "asked_uploads": "for the script that uploads",
    "asked_upload": "for the script that uploads",
    "uploads": "for the script that uploads",
    "upload": "for the script that uploads",
    "files:viewer": "the frame of `files:view`, and looked at there",
    "files:delete_several": NOT_ASKED_FOR,
    "files:restore_several": NOT_ASKED_FOR,
    "files:undo": NOT_ASKED_FOR,
    "notices:read": NOT_ASKED_FOR,
    "notices:choose": NOT_ASKED_FOR,
    "files:keys_file": NOT_ASKED_FOR,
    "files:keys_saved": NOT_ASKED_FOR,
    "files:judge_passphrase": NOT_ASKED_FOR,
    "files:key_file": NOT_ASKED_FOR,
    "files:set_passphrase": NOT_ASKED_FOR,
    "files:version_download": "a file",
    "files:version_unlock": NOT_ASKED_FOR,
    "token_revoke": NOT_ASKED_FOR,
    "program_begin": NOT_ASKED_FOR,
    "program_token": NOT_ASKED_FOR,
    "folders:path": NOT_ASKED_FOR,
    "folders:path_in_root": NOT_ASKED_FOR,
    "account_confirm_login_code": "leads to the sign-in: no codes are sent",
    "account_set_password": "leads to the change: who signs in with a password has one",
    "mfa_download_recovery_codes": "a file",
    "mfa_login_webauthn": "for the script of passkeys",
    "invitation_link": "leads to the invitation",
    "closed": "not there, as any other address",
}
"""Paths that show no page when somebody asks for them."""


def states(who: str) -> Iterator[tuple[str, int, State]]:
    """What that person looks at: the name of the path, which of its states, and the state."""
    for name, all_of_it in PAGES.items():
        for number, state in enumerate(all_of_it):
            if state.who == who:
                yield name, number, state
