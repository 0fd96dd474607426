"""Codes: ten minutes, five tries, one use; and nobody learns whose address was named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import OutsideCode
from accounts.outside import Door, codes

DOOR = Door("link", 1, "0" * 64)
ANN = "ann@example.org"


def sent(address: str = ANN, *, allowed: bool = True, door: Door = DOOR) -> str:
    mailed: list[str] = []
    codes.send(door, address, allowed=allowed, mail=mailed.append)
    return mailed[0]


def refused(code: str, address: str = ANN, door: Door = DOOR) -> bool:
    try:
        codes.check(door, address, code)
    except codes.WrongCode:
        return True
    return False


@pytest.mark.django_db
def test_a_code_opens_once_for_its_door_and_address() -> None:
    code = sent()
    assert len(code) == 8
    other = Door("link", 2, "1" * 64)
    assert refused(code, "bob@example.org")
    assert refused(code, door=other)
    assert not refused(f"{code[:4]} {code[4:]}", " ANN@example.org ")
    assert refused(code)


@pytest.mark.django_db
def test_the_newest_counts_for_ten_minutes_and_five_tries() -> None:
    former, code = sent(), sent()
    assert former == code or refused(former)
    rows = OutsideCode.objects.all()
    rows.update(tries=0)
    for _ in range(codes.TRIES):
        assert refused("00000000" if code != "00000000" else "1")
    assert refused(code)
    code = sent()
    [row] = rows
    assert row.expires_at - timezone.now() <= timedelta(minutes=10)
    rows.update(expires_at=timezone.now())
    assert refused(code)


@pytest.mark.django_db
def test_for_an_address_that_may_have_none_the_same_is_done_and_taken_back() -> None:
    def mail(code: str) -> None:
        OutsideCode.objects.create(
            door="mail", address=code, code="", expires_at=timezone.now() + timedelta(hours=1)
        )

    asked = []
    for address, allowed in (("eve@example.org", False), (ANN, True)):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            codes.send(DOOR, address, allowed=allowed, mail=mail)
        asked.append([one["sql"].split()[0] for one in queries if "SAVEPOINT" not in one["sql"]])
    assert asked[0] == asked[1]
    [mailed] = OutsideCode.objects.filter(door="mail")
    assert not refused(mailed.address)


@pytest.mark.django_db
def test_what_is_kept_names_neither_the_address_nor_the_code() -> None:
    code = sent()
    [row] = OutsideCode.objects.values_list("address", "code")
    assert ANN not in row
    assert code not in row
    # Not by any hash of it alone, which could be tried for all codes there are.
    assert row[1] != codes._code("", code)


def test_addresses_are_named_as_people_write_them() -> None:
    found = codes.addresses_of("Ann@Example.org, bob@example.org;@Firm.Example\nann@example.org")
    assert found == ["ann@example.org", "bob@example.org", "@firm.example"]
    assert codes.is_among("EVE@firm.example", found)
    assert not codes.is_among("eve@sub.firm.example", found)
    assert not codes.is_among("firm.example", found)
    for wrong in ("ann", "@", "@localhost", "ann@", "@a b"):
        with pytest.raises(ValidationError):
            codes.addresses_of(wrong)
    with pytest.raises(ValidationError):
        codes.addresses_of(" ".join(f"a{n}@example.org" for n in range(codes.AT_MOST + 1)))


@pytest.mark.parametrize(
    "text",
    [
        # What a mail server takes of it is eve@evil.example.
        "eve@evil.example (@firm.example",
        "ann <eve@evil.example> (@firm.example",
        "eve@evil.example,a@firm.example",
        "a\r\nBcc: eve@evil.example\r\n@firm.example",
        "eve@" + "a" * 60 + ".evil.example (@firm.example",
        "a" * 64 + "@" + ".".join(["a" * 60] * 4) + ".firm.example",
        "\0@firm.example",
        "@firm.example",
    ],
)
def test_what_is_not_one_address_is_of_no_domain(text: str) -> None:
    assert not codes.is_among(text, ["@firm.example", codes.normal(text)])
    assert codes.is_among("ann@firm.example", ["@firm.example"])
