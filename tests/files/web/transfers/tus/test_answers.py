"""What an answer tells: the chain of what is safe, and a held file's key, to who may know it."""

from __future__ import annotations

import os
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.utils import timezone

from accounts.models import User
from files.crypto.fernetkey import generate_master_key
from files.crypto.stream.layout import FRAME_PAYLOAD
from files.models import FileRecord, HeldKey, StoredObject
from files.rotation import rewrapping
from files.vault import held, opening
from files.web.transfers.tus.protocol import CHAIN, EXPECTED
from tests.files.conftest import UseKeys
from tests.files.web.transfers.tus.clients import (
    BIG,
    CONTENT,
    PART,
    Tus,
    chain,
    content_of,
    metadata,
)

HELD = metadata(filename="secret", custody="held")


def opens_with(answer: HttpResponse) -> bytes:
    record = FileRecord.objects.select_related("current").get(pk=answer["Securestore-File"])
    assert (record.custody, record.current.custody) == ("held", "held")
    return b"".join(opening.open_file(record, answer["Securestore-Key"]).chunks())


def test_the_answer_that_completes_a_held_upload_has_its_key(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    assert "Securestore-Key" not in client.patch(url, CONTENT[:100])
    answer = client.patch(url, CONTENT[100:], offset=100)
    assert answer.status_code == 204
    assert opens_with(answer) == CONTENT
    assert answer["Cache-Control"] == "no-store"


def test_a_held_upload_in_one_request_has_its_key(client: Tus) -> None:
    answer = client.create(CONTENT, Upload_Length=str(len(CONTENT)), Upload_Metadata=HELD)
    assert answer.status_code == 201
    assert opens_with(answer) == CONTENT


def test_an_empty_held_upload_has_its_key(client: Tus) -> None:
    assert opens_with(client.create(Upload_Length="0", Upload_Metadata=HELD)) == b""


def test_a_client_that_missed_the_answer_gets_the_same_key(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    key = client.patch(url, CONTENT)["Securestore-Key"]
    assert client.head(url)["Securestore-Key"] == key
    assert client.patch(url, b"", offset=len(CONTENT))["Securestore-Key"] == key


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("secret.txt", "secret.txt.key"),
        ('a"b%.txt', 'a"b%.txt.key'),
        ("\u202eliame.txt", "liame.txt.key"),
        ("é" * 127, "é" * 125 + ".key"),
    ],
)
def test_the_file_that_a_key_is_saved_in_is_named_by_the_rule_of_names(
    client: Tus, name: str, file: str
) -> None:
    named = metadata(filename=name, custody="held")
    answer = client.create(b"x", Upload_Length="1", Upload_Metadata=named)
    assert unquote(answer["Securestore-Key-File"]) == file
    assert client.head(answer["Location"])["Securestore-Key-File"] == answer["Securestore-Key-File"]


def test_a_client_that_says_it_has_the_key_is_not_told_again(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    record = FileRecord.objects.get(pk=client.patch(url, CONTENT)["Securestore-File"])
    assert client.request("DELETE", url).status_code == 204
    assert HeldKey.objects.get(object=record.current).offered is None
    assert HeldKey.objects.get(object=record.current).saved_at is not None


def test_the_key_is_not_told_for_long(client: Tus) -> None:
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT)
    HeldKey.objects.update(made_at=timezone.now() - held.MOMENT)
    answer = client.head(url)
    assert answer["Securestore-File"]
    assert "Securestore-Key" not in answer


def test_nobody_else_is_told_the_key(client: Tus, mallory: User) -> None:
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT)
    assert Tus(mallory).head(url).status_code == 404


def test_a_managed_upload_has_no_key(client: Tus) -> None:
    url = client.begin()
    assert "Securestore-Key" not in client.patch(url, CONTENT)
    assert not HeldKey.objects.exists()


def test_a_held_upload_is_rewrapped_while_it_is_going_on(client: Tus, use_keys: UseKeys) -> None:
    first, second = generate_master_key(), generate_master_key()
    use_keys(first)
    url = client.begin(Upload_Metadata=HELD)
    client.patch(url, CONTENT[:100])
    use_keys(second, first)
    assert rewrapping.rewrap().rewrapped == 1
    use_keys(second)
    assert opens_with(client.patch(url, CONTENT[100:], offset=100)) == CONTENT


@pytest.mark.parametrize(
    "cuts",
    [
        (1, 100, FRAME_PAYLOAD - 1, FRAME_PAYLOAD, FRAME_PAYLOAD + 1, 2 * FRAME_PAYLOAD + 5),
        (PART - 1, PART, PART + 1, len(BIG) - 1),
        (PART - FRAME_PAYLOAD, PART, PART + FRAME_PAYLOAD),
        (5 * FRAME_PAYLOAD, PART + 7),
    ],
)
@pytest.mark.parametrize("deferred", [False, True])
def test_every_answer_tells_the_chain_of_exactly_what_is_safe(
    client: Tus, cuts: tuple[int, ...], deferred: bool
) -> None:
    size = {"Upload_Defer_Length": "1"} if deferred else {"Upload_Length": str(len(BIG))}
    url = client.create(**size)["Location"]
    assert client.head(url)[CHAIN] == chain(b"")
    start = 0
    for cut in cuts:
        answer = client.patch(url, BIG[start:cut], start, **{CHAIN: chain(BIG[:start])})
        assert (answer.status_code, answer[CHAIN]) == (204, chain(BIG[:cut]))
        assert client.head(url)[CHAIN] == chain(BIG[:cut])
        start = cut
    length = {"Upload-Length": str(len(BIG))} if deferred else {}
    last = client.patch(url, BIG[start:], start, **{EXPECTED: chain(BIG)}, **length)
    assert last[CHAIN] == client.head(url)[CHAIN] == chain(BIG)
    assert content_of(last) == BIG


def test_a_lost_answer_is_asked_for_with_the_chain(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT)
    size = len(CONTENT)
    assert client.patch(url, b"", size, **{CHAIN: chain(CONTENT)}).status_code == 204
    for header in (CHAIN, EXPECTED):
        assert client.patch(url, b"", size, **{header: chain(b"other")}).status_code == 409


def test_an_upload_from_before_chains_were_kept_says_none_and_is_not_compared(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    StoredObject.objects.update(chain=None)
    assert CHAIN not in client.head(url)
    answer = client.patch(url, CONTENT[100:], 100, **{CHAIN: chain(CONTENT[:100])})
    assert answer.status_code == 409
    assert b"Begin a new upload" in answer.content
    done = client.patch(url, CONTENT[100:], 100)
    assert CHAIN not in done
    assert content_of(done) == CONTENT


def test_a_state_that_was_altered_ends_the_upload(client: Tus) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    StoredObject.objects.update(chain=b"x" * 137)
    assert client.head(url).status_code == 410
    assert client.patch(url, CONTENT[100:], 100).status_code == 410


def test_the_chain_is_told_while_the_master_keys_rotate(client: Tus, use_keys: UseKeys) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:100])
    use_keys(generate_master_key(), os.environ["MASTER_KEYS"])
    rewrapping.rewrap()
    assert client.head(url)[CHAIN] == chain(CONTENT[:100])
    use_keys(generate_master_key())
    assert client.head(url).status_code == 503


def test_of_a_complete_held_upload_the_chain_is_told_once(client: Tus) -> None:
    """Its digests open with its owner's key alone, and that is told to who asks at once."""
    url = client.begin(Upload_Metadata=metadata(custody="held"))
    assert client.patch(url, CONTENT)[CHAIN] == chain(CONTENT)
    assert CHAIN not in client.head(url)


def test_who_may_not_download_is_told_no_chain_of_a_file(client: Tus, alice: User) -> None:
    url = client.begin()
    client.patch(url, CONTENT[:10])
    for group in alice.groups.all():
        group.permissions.remove(Permission.objects.get(codename="download_filerecord"))
    assert client.head(url)[CHAIN] == chain(CONTENT[:10])
    client.patch(url, CONTENT[10:], 10)
    assert CHAIN not in client.head(url)
