"""The upload page: files in, or a clear refusal and nothing left behind."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from accounts.models import User
from files.errors import WrongFileKey
from files.keys import custody
from files.models import FileRecord, StoredObject
from files.vault import opening, storing
from files.web.transfers import forms
from tests.files.conftest import PASSPHRASE
from tests.files.multipart import BOUNDARY, CONTENT_TYPE, Part, body, field, file
from tests.files.vault.faults import PART, StoreTrouble

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Nothing = Callable[[], bool]
UPLOAD = "/files/upload/"


@pytest.fixture
def member(client: Client, alice: User, s3: S3Client) -> Client:
    """Alice, signed in."""
    client.force_login(alice)
    return client


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def post(
    client: Client,
    *parts: Part,
    raw: bytes | None = None,
    source: io.IOBase | None = None,
    declared: int | None = None,
) -> Any:
    """POST a form of these parts, or these raw bytes, or what `source` gives.

    `declared` is its Content-Length, by default the truth.
    """
    data = body(*parts) if raw is None else raw
    environ: dict[str, Any] = {
        "CONTENT_TYPE": CONTENT_TYPE,
        "CONTENT_LENGTH": str(len(data) if declared is None else declared),
        "wsgi.input": io.BytesIO(data) if source is None else source,
    }
    return client.generic("POST", UPLOAD, **environ)


def read(record: FileRecord) -> bytes:
    return b"".join(opening.open_file(record).chunks())


def named(name: str) -> FileRecord:
    return FileRecord.objects.select_related("current").get(name=name)


# --- Works ------------------------------------------------------------------------------------


def test_the_page_shows_the_form(member: Client, settings: LazySettings) -> None:
    settings.MAX_UPLOAD_SIZE = 3 << 20
    response = member.get(UPLOAD)
    assert response.status_code == 200
    page = response.text
    assert 'enctype="multipart/form-data"' in page
    assert "3.0\xa0MB" in page
    # The token is in the body before any file is: the server reads it as it arrives.
    assert page.index("csrfmiddlewaretoken") < page.index('type="file"')


def test_several_files_are_stored(member: Client, alice: User) -> None:
    large = bytes(range(256)) * ((PART + 1000) // 256)
    response = post(member, file("one.txt", b"1"), file("empty", b""), file("large.bin", large))
    assert (response.status_code, response["Location"]) == (302, reverse("files:list"))
    assert "3 files stored." in member.get(response["Location"]).text
    assert {r.name: r.size for r in FileRecord.objects.all()} == {
        "one.txt": 1,
        "empty": 0,
        "large.bin": len(large),
    }
    assert [read(named(name)) for name in ("one.txt", "empty", "large.bin")] == [b"1", b"", large]
    assert {record.owner for record in FileRecord.objects.all()} == {alice}


def test_files_of_the_same_name_are_two_files(member: Client) -> None:
    post(member, file("a", b"1"), file("a", b"2"))
    assert sorted(read(r) for r in FileRecord.objects.select_related("current")) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("C:\\\\files\\\\r\u00e9sum\u00e9.pdf", "r\u00e9sum\u00e9.pdf"),
        ("a&amp;b.txt", "a&amp;b.txt"),
        ("\U0001f469\u200d\U0001f4bb.png", "\U0001f469\u200d\U0001f4bb.png"),
        ("exe\u202egpj.txt", "exegpj.txt"),
        ("one\u3000two", "one two"),
    ],
)
def test_names_are_kept_by_our_rule_and_not_by_djangos(
    member: Client, sent: str, kept: str
) -> None:
    assert post(member, file(sent, b"1")).status_code == 302
    assert FileRecord.objects.get().name == kept


def test_the_content_type_is_kept_bare(member: Client) -> None:
    post(member, Part("files", b"<b>", "a.html", kind="Text/HTML; charset=utf-8"))
    assert FileRecord.objects.get().content_type == "text/html"


def test_no_temporary_file_is_made(member: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a temporary file")

    # The store in memory uses others of the module for itself.
    for maker in ("NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{maker}", refuse)
    assert post(member, file("a", bytes(5 << 20))).status_code == 302


# --- Who may ----------------------------------------------------------------------------------


def test_an_anonymous_visitor_is_sent_to_sign_in_and_nothing_is_read(
    client: Client, nothing_left: Nothing
) -> None:
    for method in ("get", "post"):
        response = getattr(client, method)(UPLOAD)
        assert (response.status_code, response["Location"]) == (
            302,
            f"/accounts/login/?next={UPLOAD}",
        )
    assert post(client, source=Unread(), declared=5).status_code == 302
    assert nothing_left()


def test_without_the_permission_nothing_is_read(
    member: Client, alice: User, nothing_left: Nothing
) -> None:
    alice.groups.clear()
    assert member.get(UPLOAD).status_code == 403
    assert post(member, source=Unread(), declared=5).status_code == 403
    assert nothing_left()


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(member: Client, method: str) -> None:
    response = getattr(member, method)(UPLOAD)
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("parts", [[], [field("csrfmiddlewaretoken", "wrong")]])
def test_without_the_token_nothing_is_kept(
    alice: User, nothing_left: Nothing, parts: list[Part]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get(UPLOAD)
    response = post(client, *parts, file("a", bytes(2 * PART)), file("b", b"1"))
    assert response.status_code == 403
    assert nothing_left()


def test_with_the_token_the_files_are_kept(alice: User, s3: S3Client) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.get(UPLOAD)
    token = client.cookies["csrftoken"].value
    response = post(client, field("csrfmiddlewaretoken", token), file("a", b"1"))
    assert response.status_code == 302
    assert read(named("a")) == b"1"


# --- What is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["..", "/", "\u202e", "\u00e9" * 128])
def test_a_bad_name_is_refused_in_words_and_the_others_are_kept(member: Client, bad: str) -> None:
    response = post(member, file("good", b"1"), file(bad, b"2"), file("fine", b"3"))
    assert response.status_code == 400
    assert "try again." in response.text
    assert len(response.context["problems"]) == 1
    assert "<h2>Not stored</h2>" in response.text
    assert [record.name for record in response.context["stored"]] == ["good", "fine"]
    assert sorted(FileRecord.objects.values_list("name", flat=True)) == ["fine", "good"]
    assert StoredObject.objects.count() == 2


def test_a_declared_length_over_the_limit_is_refused_unread(
    member: Client, settings: LazySettings, nothing_left: Nothing
) -> None:
    settings.MAX_UPLOAD_SIZE = 1 << 20
    response = post(member, source=Unread(), declared=2 << 20)
    assert response.status_code == 413
    assert "limit of 1,048,576 bytes" in response.text
    assert nothing_left()


def test_a_file_over_the_limit_is_refused_while_it_arrives_and_the_rest_is_not_read(
    member: Client, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAX_UPLOAD_SIZE = 1 << 20
    monkeypatch.setattr("files.web.upload_form.FORM_OVERHEAD", 1 << 30)
    raw = body(file("small", b"1"), file("big", bytes(5 << 20)), file("never", b"2"))
    source = io.BytesIO(raw)
    response = post(member, source=source, declared=len(raw))
    assert response.status_code == 413
    assert "limit of 1,048,576 bytes" in response.text
    assert source.tell() < 3 << 20
    assert read(FileRecord.objects.get()) == b"1"
    assert StoredObject.objects.count() == 1


def test_a_file_of_exactly_the_limit_is_stored(member: Client, settings: LazySettings) -> None:
    settings.MAX_UPLOAD_SIZE = 1 << 20
    assert post(member, file("a", bytes(1 << 20))).status_code == 302


@pytest.mark.parametrize("parts", [[], [field("files", "text")], [file("", b"")]])
def test_no_file_is_refused_in_words(
    member: Client, nothing_left: Nothing, parts: list[Part]
) -> None:
    response = post(member, *parts)
    assert response.status_code == 400
    assert "Choose at least one file." in response.text
    assert nothing_left()


def test_a_form_that_is_not_multipart_is_refused_in_words(
    member: Client, nothing_left: Nothing
) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain", ""):
        response = member.generic("POST", UPLOAD, "files=a", kind)
        assert response.status_code == 415
        assert kind in response.text
        assert "multipart/form-data" in response.text
        assert "/uploads/" in response.text
    assert nothing_left()


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_that_cannot_be_read_says_why(
    member: Client, nothing_left: Nothing, kind: str
) -> None:
    response = member.generic("POST", UPLOAD, body(file("a", b"1")), kind)
    assert response.status_code == 400
    assert "could not be read" in response.text
    assert "boundary" in response.text
    assert "cut off" not in response.text
    assert nothing_left()


def test_another_custody_is_refused_in_words(member: Client, nothing_left: Nothing) -> None:
    response = post(member, field("custody", "other"), file("a", b"1"))
    assert response.status_code == 400
    assert "is no answer to who keeps the key" in response.text
    assert nothing_left()


def shown_keys(response: Any) -> list[str]:
    found: list[str] = re.findall(r">([A-Za-z0-9_-]{43}=)<", response.text)
    return found


def test_each_held_file_has_its_key_shown_once(member: Client) -> None:
    response = post(member, field("custody", "held"), file("a", b"1"), file("b", b"2"))
    assert response.status_code == 200
    assert response["Cache-Control"] == "private, no-store, no-transform"
    first, second = shown_keys(response)
    assert b"".join(opening.open_file(named("a"), first).chunks()) == b"1"
    assert b"".join(opening.open_file(named("b"), second).chunks()) == b"2"
    with pytest.raises(WrongFileKey):
        opening.open_file(named("a"), second)
    for text in ("I have saved all 2 keys", "/files/keys/saved/", str(named("a").pk)):
        assert text in response.text


def test_held_files_beside_a_refused_one_have_their_keys_shown(member: Client) -> None:
    response = post(member, field("custody", "held"), file("..", b"1"), file("b", b"2"))
    assert response.status_code == 400
    [key] = shown_keys(response)
    assert b"".join(opening.open_file(named("b"), key).chunks()) == b"2"


def test_a_passphrase_takes_the_place_of_keys(member: Client) -> None:
    typed = [field("passphrase", PASSPHRASE), field("passphrase_again", f" {PASSPHRASE}\n")]
    refused = post(member, field("custody", "held"), *typed, file("a", b"1"))
    assert refused.status_code == 400
    assert not FileRecord.objects.exists()
    typed[1] = field("passphrase_again", PASSPHRASE)
    response = post(member, field("custody", "held"), *typed, file("a", b"1"), file("b", b"2"))
    assert response.status_code == 302
    for name, content in (("a", b"1"), ("b", b"2")):
        record = named(name)
        key = custody.typed_key(record, PASSPHRASE)
        assert b"".join(opening.open_file(record, key).chunks()) == content


@pytest.mark.parametrize("again", ["password1234", "another1234x"])
def test_a_bad_passphrase_stores_nothing_and_is_not_shown_again(
    member: Client, nothing_left: Nothing, again: str
) -> None:
    typed = [field("passphrase", "password1234"), field("passphrase_again", again)]
    response = post(member, field("custody", "held"), *typed, file("a", b"1"))
    assert response.status_code == 400
    assert "password1234" not in response.text
    assert "errorlist" in response.text
    assert nothing_left()


def test_managed_custody_may_be_asked_for(member: Client) -> None:
    assert post(member, field("custody", "managed"), file("a", b"1")).status_code == 302
    assert FileRecord.objects.get().custody == "managed"


def test_a_file_in_another_field_is_named_with_it_and_the_others_are_kept(
    member: Client, nothing_left: Nothing
) -> None:
    response = post(member, file("lost", b"1", field="other"))
    assert response.status_code == 400
    for words in ("lost", "in the field “other”", "from the field “files”"):
        assert words in response.text
    assert nothing_left()
    response = post(member, file("a", b"1"), file("lost", b"2", field="file"))
    assert response.status_code == 400
    assert "in the field “file”" in response.text
    assert [record.name for record in FileRecord.objects.all()] == ["a"]
    assert StoredObject.objects.count() == 1


@pytest.mark.parametrize(("count", "said"), [(101, "101"), (137, "137"), (1001, "more than 1000")])
def test_too_many_files_are_counted_and_none_is_kept(
    member: Client,
    monkeypatch: pytest.MonkeyPatch,
    nothing_left: Nothing,
    count: int,
    said: str,
) -> None:
    # Of each hundred, the first ones are really stored: that is not what this is about.
    monkeypatch.setattr("files.web.transfers.forms.MAX_FILES", 3)
    response = post(member, *(file(f"f{number}", b"1") for number in range(count)))
    assert response.status_code == 400
    assert f"There were {said} files in the form, and it takes 3 at most" in response.text
    assert "Nothing was stored" in response.text
    assert "3 or fewer at a time" in response.text
    assert nothing_left()


def test_a_hundred_files_are_not_too_many() -> None:
    assert forms.MAX_FILES == 100


def test_times_of_modification_are_those_of_the_files_in_their_order(member: Client) -> None:
    told = ["2019-05-01T12:30:00+02:00", "2001-01-01T00:00:00Z", "", "2020-01-01T00:00:00.5Z"]
    response = post(
        member,
        *(field("modified", text) for text in told),
        file("a", b"1"),
        file("..", b"2"),
        file("c", b"3"),
        file("d", b"4"),
    )
    assert response.status_code == 400  # For the second one's name.
    assert named("a").modified_at == datetime(2019, 5, 1, 10, 30, tzinfo=UTC)
    assert named("c").modified_at is None
    assert named("d").modified_at == datetime(2020, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["yesterday"], "“yesterday” is no time"),
        (["2019-05-01T12:30:00Z", "2019-05-01T12:30:00Z"], "there are 2 for 1 files"),
        (["2019-02-30T12:30:00Z"], "no moment of the calendar"),
    ],
)
def test_times_that_make_no_sense_are_refused_in_words(
    member: Client, nothing_left: Nothing, told: list[str], words: str
) -> None:
    response = post(member, *(field("modified", text) for text in told), file("a", b"1"))
    assert response.status_code == 400
    assert words in response.text
    assert nothing_left()


def test_without_times_none_is_kept(member: Client) -> None:
    assert post(member, file("a", b"1")).status_code == 302
    assert named("a").modified_at is None


def test_a_field_larger_than_fields_may_be_is_refused(
    member: Client, settings: LazySettings, nothing_left: Nothing
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = post(member, file("a", b"1"), field("custody", "x" * 2000))
    assert response.status_code == 400
    assert nothing_left()


# --- What is cut off --------------------------------------------------------------------------

FORM = body(field("custody", "managed"), file("one", b"1" * 50), file("two", bytes(2 * PART)))
ENDS = {
    "in the second file": len(FORM) - 1000,
    "between two parts": FORM.index(b'name="files"; filename="two"') - len(BOUNDARY) - 60,
    "in the closing boundary": len(FORM) - 4,
    "in the first file": FORM.index(b"1" * 50) + 10,
    "in the first head": 20,
    "before the first byte": 0,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_body_shorter_than_declared_stores_nothing(
    member: Client, nothing_left: Nothing, end: str
) -> None:
    cut = FORM[: ENDS[end]]
    response = post(member, raw=cut, declared=len(FORM))
    assert response.status_code == 400
    assert "cut off before it was complete. Nothing was stored." in response.text
    assert nothing_left()


@pytest.mark.parametrize("end", ["in the second file", "in the first file"])
def test_a_body_that_ends_inside_a_file_stores_nothing_whatever_it_declared(
    member: Client, nothing_left: Nothing, end: str
) -> None:
    response = post(member, raw=FORM[: ENDS[end]])
    assert response.status_code == 400
    assert "cut off" in response.text
    assert nothing_left()


def test_a_cut_is_noticed_although_another_file_was_refused(
    member: Client, nothing_left: Nothing
) -> None:
    raw = body(file("..", b"bad name"), file("good", b"1" * 1000))
    response = post(member, raw=raw[:-300], declared=len(raw))
    assert response.status_code == 400
    assert nothing_left()


def test_a_connection_that_breaks_stores_nothing(member: Client, nothing_left: Nothing) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 100_000:
                raise ConnectionResetError
            return super().read(size)

    response = post(member, source=Breaking(FORM), declared=len(FORM))
    assert response.status_code == 400
    assert nothing_left()


def test_nonsense_is_refused(member: Client, nothing_left: Nothing) -> None:
    response = member.generic("POST", UPLOAD, b"nonsense", "multipart/form-data")
    assert response.status_code == 400
    assert nothing_left()


# --- What fails inside ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
)
def test_a_failing_store_is_503_and_nothing_is_half_stored(
    member: Client,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Client,
    nothing_left: Nothing,
    operation: str,
) -> None:
    StoreTrouble(monkeypatch, s3).begin(operation)
    response = post(member, file("large", bytes(2 * PART)), file("small", b"1"))
    assert response.status_code == 503
    assert response["Retry-After"]
    assert nothing_left()


def test_an_upload_that_was_swept_away_is_told_so(
    member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storing.publish

    def swept_first(*args: Any) -> Any:
        StoredObject.objects.all().update(state=StoredObject.State.DOOMED)
        return real(*args)

    monkeypatch.setattr(storing, "publish", swept_first)
    response = post(member, file("a", b"1"))
    assert response.status_code == 409
    assert "Please upload again." in response.text
    assert not FileRecord.objects.exists()
