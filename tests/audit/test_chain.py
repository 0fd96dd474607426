"""The chain holds as written, and every way of altering it shows."""

from __future__ import annotations

import hashlib
import hmac
import struct
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from audit import Event, chain, context, record
from audit.models import AuditEvent
from tests.audit.databases import as_default, migrate, write_at_once, write_quickly
from tests.audit.flush import lifted

FILE = UUID("6d5fe6b4-9c1f-4a53-8f1d-0f3a7f9d2c11")


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann", "ann@example.org", "a long enough password")


@pytest.fixture
def five_events(ann: User) -> list[AuditEvent]:
    """A log of five events whose every field is filled."""
    around = context.Context(address="192.0.2.7", user_agent="curl/8", request_id="ab" * 16)
    with context.active(around):
        return [
            record(Event.FILE_DOWNLOADED, actor=ann, file_id=FILE, grant_id=12, bytes=number)
            for number in range(5)
        ]


def tamper(number: int, **changes: Any) -> None:
    with lifted():
        assert AuditEvent.objects.filter(id=number).update(**changes) == 1


def where_it_breaks(*anchors: chain.Anchor) -> int:
    with pytest.raises(chain.BrokenChain) as caught:
        chain.verify(*anchors)
    assert str(caught.value) == f"event {caught.value.number}: {caught.value.reason}"
    return caught.value.number


# --- Writing ------------------------------------------------------------------------------------


def test_an_empty_log_holds(db: None) -> None:
    assert chain.verify() == chain.head() == chain.Anchor(0, "0" * 64)


def test_events_are_numbered_and_linked(five_events: list[AuditEvent]) -> None:
    assert [event.id for event in five_events] == [1, 2, 3, 4, 5]
    assert [event.previous_mac for event in five_events[1:]] == [
        event.mac for event in five_events[:-1]
    ]
    assert chain.verify() == chain.head() == chain.Anchor(5, five_events[-1].mac)


def test_an_event_keeps_what_it_was_given(five_events: list[AuditEvent], ann: User) -> None:
    event = AuditEvent.objects.get(id=3)
    assert event.event == Event.FILE_DOWNLOADED
    assert (event.actor_id, event.actor_name) == (ann.pk, "ann")
    assert (event.address, event.user_agent) == ("192.0.2.7", "curl/8")
    assert (event.file_id, event.grant_id, event.data) == (FILE, 12, {"bytes": 2})


def test_an_event_names_what_somebody_came_by(ann: User) -> None:
    """A program by its token, somebody outside by a link or a request; nobody else by anything."""
    by_token = context.Context(token_id=7, token_name="backup\n" + "x" * chain.MAX_DETAIL_LENGTH)
    outside = context.Context(link_id=8, file_request_id=9)
    kept = []
    for around in (by_token, outside, context.Context()):
        with context.active(around):
            kept.append(record(Event.FILE_DOWNLOADED, actor=ann, bytes=1).data)
    name = "backup\ufffd" + "x" * (chain.MAX_DETAIL_LENGTH - 8) + "…"
    assert kept == [
        {"bytes": 1, "by_token_id": 7, "by_token": name},
        {"bytes": 1, "link_id": 8, "file_request_id": 9},
        {"bytes": 1},
    ]


def test_an_event_outlives_the_user(ann: User) -> None:
    record(Event.SIGNED_IN, actor=ann)
    ann.delete()
    assert AuditEvent.objects.get().actor_name == "ann"
    assert chain.verify().number == 1


def test_an_event_goes_with_its_transaction(db: None) -> None:
    record(Event.SWEPT)
    with transaction.atomic():
        record(Event.SWEPT)
        transaction.set_rollback(True)
    assert chain.verify().number == 1


def test_the_key_is_what_authenticates(five_events: list[AuditEvent], settings: Settings) -> None:
    settings.AUDIT_KEY = "another key, equally long, but not the one"
    assert where_it_breaks() == 1


def test_a_mac_is_what_the_page_of_the_module_says(settings: Settings) -> None:
    """Known from elsewhere: another encoding would find every log that there is broken."""
    values = ["ä", None, 7, datetime(2030, 1, 2, tzinfo=UTC), {"b": 1, "a": None}, ""]
    fields = ["ä", None, "7", "2030-01-02T00:00:00.000000+00:00", '{"a":null,"b":1}', ""]
    message = b"securestore/audit/1\0"
    for field in fields:
        encoded = b"" if field is None else field.encode()
        message += struct.pack(">I", 2**32 - 1 if field is None else len(encoded)) + encoded
    expected = hmac.new(settings.AUDIT_KEY.encode(), message, hashlib.sha256).hexdigest()
    assert chain.mac_of(values) == expected


@pytest.mark.skipif("connection.vendor != 'sqlite'")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_auditevent SET mac = 'other'",
        "UPDATE audit_auditevent SET actor_name = 'other'",
    ],
)
def test_an_event_that_the_database_alters_undoes_what_it_tells_of(ann: User, change: str) -> None:
    """Also where somebody catches the error, and would have the rest of it committed."""
    with lifted(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER foreign_one AFTER INSERT ON audit_auditevent BEGIN"
            f" {change} WHERE id = NEW.id; END"
        )
        with transaction.atomic():
            User.objects.filter(pk=ann.pk).update(first_name="Changed")
            with pytest.raises(chain.NotRecorded, match="is not in the log as it was written"):
                record(Event.SWEPT)
        cursor.execute("DROP TRIGGER foreign_one")
    ann.refresh_from_db()
    assert ann.first_name == ""
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("name", ["key", "password", "passphrase", "secret", "token"])
def test_details_that_promise_a_secret_are_refused(db: None, name: str) -> None:
    detail: Any = {name: "x"}
    with pytest.raises(ValueError, match=name):
        record(Event.WRONG_KEY, **detail)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("value", [1.5, [1], {"a": 1}, b"bytes"])
def test_details_that_databases_return_differently_are_refused(db: None, value: Any) -> None:
    with pytest.raises(TypeError):
        record(Event.SWEPT, detail=value)


def test_too_many_details_are_refused(db: None) -> None:
    details: Any = {f"n{number}": number for number in range(17)}
    with pytest.raises(ValueError, match="at most 16"):
        record(Event.SWEPT, **details)


def test_as_many_details_as_an_event_takes_are_kept(db: None) -> None:
    details: Any = {f"n{number}": number for number in range(chain.MAX_DETAILS)}
    record(Event.SWEPT, **details)
    assert AuditEvent.objects.get().data == details


def test_text_is_cut_where_it_is_too_long_and_only_there(db: None) -> None:
    at_most = {"actor_name": 150, "address": 45, "user_agent": 255, "request_id": 32}
    for more in (0, 1):
        texts: dict[str, Any] = {name: "x" * (size + more) for name, size in at_most.items()}
        with context.active(context.Context(**texts)):
            event = record(Event.SWEPT, note="y" * (chain.MAX_DETAIL_LENGTH + more))
        kept = {name: getattr(event, name) for name in at_most}
        ends = {name: text[: at_most[name] - 1] + "…" for name, text in texts.items()}
        assert kept == (ends if more else texts)
        note = "y" * (chain.MAX_DETAIL_LENGTH - 1)
        assert event.data["note"] == note + ("…" if more else "y")


def test_hostile_text_is_cut_and_cleaned(db: None) -> None:
    with context.active(context.Context(user_agent="Mozilla\r\nforged: line\x00" + "x" * 1000)):
        event = record(Event.SWEPT, note="y" * 1000)
    assert "\n" not in event.user_agent
    assert len(event.user_agent) == 255
    assert len(event.data["note"]) == chain.MAX_DETAIL_LENGTH
    assert chain.verify().number == 1


details = st.dictionaries(
    st.from_regex(r"detail_[a-z]{0,9}", fullmatch=True),
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(max_size=600)
    | st.uuids()
    | st.datetimes(timezones=st.just(UTC)),
    max_size=chain.MAX_DETAILS,
)


@pytest.mark.django_db
@given(details=details, agent=st.text(max_size=300))
def test_whatever_was_recorded_verifies(details: dict[str, Any], agent: str) -> None:
    with transaction.atomic(), context.active(context.Context(user_agent=agent)):
        event = record(Event.SWEPT, **details)
        assert chain.verify().number == event.id
        transaction.set_rollback(True)


@given(st.lists(st.none() | st.text(max_size=5), max_size=6), st.data())
def test_no_two_events_encode_alike(values: list[str | None], data: st.DataObject) -> None:
    """Also when one has the other's text, cut into fields at other places."""
    text = "".join(value or "" for value in values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    other = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert (chain.mac_of(values) == chain.mac_of(other)) == (values == other)


# --- Tampering ----------------------------------------------------------------------------------

ALTERED: dict[str, Any] = {
    "id": 77,
    "at": F("at") + timedelta(microseconds=1),
    "event": Event.FILE_DELETED,
    "actor_id": 99,
    "actor_name": "bob",
    "address": "192.0.2.8",
    "user_agent": "curl/9",
    "request_id": "cd" * 16,
    "file_id": UUID(int=1),
    "grant_id": 13,
    "data": {"bytes": 999},
    "previous_mac": "12" * 32,
    "mac": "34" * 32,
}
NULLABLE = ("actor_id", "file_id", "grant_id")


def test_every_field_is_tampered_with_below() -> None:
    assert set(ALTERED) == {field.name for field in AuditEvent._meta.fields}


@pytest.mark.parametrize("field", ALTERED)
def test_an_altered_field_breaks_the_chain_there(five_events: list[AuditEvent], field: str) -> None:
    tamper(3, **{field: ALTERED[field]})
    assert where_it_breaks() == 3


@pytest.mark.parametrize("field", NULLABLE)
def test_an_emptied_field_breaks_the_chain_there(five_events: list[AuditEvent], field: str) -> None:
    tamper(3, **{field: None})
    assert where_it_breaks() == 3


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_removed_event_breaks_the_chain_there(five_events: list[AuditEvent], number: int) -> None:
    with lifted():
        AuditEvent.objects.filter(id=number).delete()
    assert where_it_breaks() == number


def test_a_removed_event_shows_when_the_rest_moves_up(five_events: list[AuditEvent]) -> None:
    with lifted():
        AuditEvent.objects.filter(id=3).delete()
        AuditEvent.objects.filter(id=4).update(id=3)
        AuditEvent.objects.filter(id=5).update(id=4)
    assert where_it_breaks() == 3


def test_swapped_events_break_the_chain(five_events: list[AuditEvent]) -> None:
    with lifted():
        for old, new in ((2, 100), (3, 2), (100, 3)):
            AuditEvent.objects.filter(id=old).update(id=new)
    assert where_it_breaks() == 2


def test_a_forged_event_at_the_end_shows(five_events: list[AuditEvent]) -> None:
    last = five_events[-1]
    last.id, last.previous_mac = 6, last.mac
    last.save(force_insert=True)
    assert where_it_breaks() == 6


@pytest.mark.parametrize("before", ["0" * 63 + "1", "f" * 64])
def test_a_true_event_of_another_chain_does_not_fit(
    five_events: list[AuditEvent], before: str
) -> None:
    """Its MAC is right, by the same key, but it follows something else."""
    graft = AuditEvent.objects.get(id=3)
    graft.previous_mac = before
    graft.mac = chain.mac_of([getattr(graft, field) for field in chain.FIELDS])
    tamper(3, previous_mac=graft.previous_mac, mac=graft.mac)
    assert where_it_breaks() == 3


# What somebody with all rights in the database, and without the key, may do to a row or two.
LENGTH = 6
places = st.integers(1, LENGTH)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
REPLACED: dict[str, st.SearchStrategy[Any]] = {
    "at": st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "event": texts.filter(lambda text: len(text) <= 40),
    "actor_id": st.none() | st.integers(-(2**63), 2**63 - 1),
    "actor_name": texts,
    "address": texts,
    "user_agent": texts,
    "request_id": st.text("0123456789abcdef", max_size=32),
    "file_id": st.none() | st.uuids(),
    "grant_id": st.none() | st.integers(-(2**63), 2**63 - 1),
    "data": st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3),
    "previous_mac": st.text("0123456789abcdef", min_size=64, max_size=64),
    "mac": st.text("0123456789abcdef", min_size=64, max_size=64),
}


@st.composite
def replaced(draw: st.DrawFn) -> tuple[str, int, int, dict[str, Any]]:
    names = draw(st.sets(st.sampled_from(sorted(REPLACED)), min_size=1, max_size=3))
    return "replace", draw(places), 0, {name: draw(REPLACED[name]) for name in sorted(names)}


moves: st.SearchStrategy[tuple[str, int, int, dict[str, Any]]] = st.tuples(
    st.sampled_from(["remove", "swap", "copy over", "move to the end"]),
    places,
    places,
    st.just({}),
)


def tampered(how: str, one: int, other: int, changes: dict[str, Any]) -> None:
    rows = AuditEvent.objects
    if how == "replace":
        rows.filter(id=one).update(**changes)
    elif how == "remove":
        rows.filter(id=one).delete()
    elif how == "move to the end":
        rows.filter(id=one).update(id=LENGTH + other)
    elif how == "swap":
        for old, new in ((one, 100), (other, one), (100, other)):
            rows.filter(id=old).update(id=new)
    else:
        source = rows.filter(id=other).values(*(set(REPLACED) - {"previous_mac"})).get()
        rows.filter(id=one).update(**source)


@pytest.mark.parametrize(
    ("waits", "idle", "most"), [(10, 60, 5_000), (10, 2, 2_000), (10, 5, 5_000), (0, 0, 1)]
)
def test_who_has_the_turn_and_does_nothing_is_ended_before_others_give_up(
    settings: Settings, waits: int, idle: int, most: int
) -> None:
    settings.DATABASE_TIMEOUT, settings.DATABASE_IDLE_TIMEOUT = waits, idle
    asked = chain._taking_turn()
    assert f"set_config('idle_in_transaction_session_timeout', '{most}ms', true)" in asked


def test_behind_a_pooler_each_turn_brings_its_own_limits(settings: Settings) -> None:
    """Where a pooler hands on what another program set up; its own limits a connection keeps."""
    settings.DATABASE_TIMEOUT, settings.DATABASE_IDLE_TIMEOUT = 10, 60
    settings.DATABASE_POOLER = "none"
    alone = chain._taking_turn()
    settings.DATABASE_POOLER = "pgbouncer"
    pooled = chain._taking_turn()
    limits = "('lock_timeout', '10s'), ('idle_in_transaction_session_timeout', '60s')"
    assert limits in pooled
    assert limits not in alone
    assert pooled.endswith(alone)


@pytest.mark.django_db
@given(tampering=replaced() | moves)
def test_whatever_is_done_to_the_log_shows(
    tampering: tuple[str, int, int, dict[str, Any]],
) -> None:
    """Any field of any row, any row removed or moved: found, and no later than where it was."""
    with transaction.atomic():
        for number in range(LENGTH):
            record(Event.FILE_DOWNLOADED, file_id=FILE, grant_id=12, bytes=number)
        anchor = chain.head()
        before = list(AuditEvent.objects.order_by("id").values())
        # A MAC that is there already the database refuses by itself.
        with lifted(), suppress(IntegrityError), transaction.atomic():
            tampered(*tampering)
        after = list(AuditEvent.objects.order_by("id").values())
        if after == before:
            assert chain.verify(anchor) == anchor
        else:
            first = next(
                number
                for number in range(1, LENGTH + 1)
                if after[number - 1 : number] != before[number - 1 : number]
            )
            assert where_it_breaks(anchor) == first
        transaction.set_rollback(True)


def test_a_cut_end_shows_only_against_an_anchor(five_events: list[AuditEvent]) -> None:
    anchor = chain.head()
    with lifted():
        AuditEvent.objects.filter(id__gte=4).delete()
    assert chain.verify().number == 3
    assert where_it_breaks(anchor) == 4


def test_an_end_written_anew_shows_against_an_anchor(five_events: list[AuditEvent]) -> None:
    anchor = chain.head()
    with lifted():
        AuditEvent.objects.filter(id=5).delete()
    record(Event.SWEPT)
    record(Event.SWEPT)
    assert chain.verify().number == 6
    assert where_it_breaks(anchor) == 5


def test_anchors_hold_while_the_log_grows(five_events: list[AuditEvent]) -> None:
    anchors = [chain.Anchor(event.id, event.mac) for event in five_events]
    record(Event.SWEPT)
    assert chain.verify(*anchors).number == 6


def test_an_anchor_is_read_as_it_was_printed(five_events: list[AuditEvent]) -> None:
    assert chain.Anchor.parse(f" {chain.head()}\n") == chain.head()


def test_two_anchors_of_one_event_must_both_hold(five_events: list[AuditEvent]) -> None:
    true = chain.Anchor(3, five_events[2].mac)
    for pair in ((true, chain.Anchor(3, "ab" * 32)), (chain.Anchor(3, "ab" * 32), true)):
        assert where_it_breaks(*pair) == 3
    assert where_it_breaks(chain.Anchor(0, "ab" * 32)) == 0
    assert chain.verify(chain.Anchor(0, chain.GENESIS)).number == 5


def test_many_anchors_are_held_against_the_log_in_little_memory(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    write_quickly(1200)
    anchors = [chain.Anchor(*row) for row in AuditEvent.objects.values_list("id", "mac")]
    with django_assert_num_queries(3):
        assert chain.check_anchors(iter(anchors)) == 1200
    wrong = [chain.Anchor(number, "ab" * 32) for number in (900, 40, 1100)]
    with pytest.raises(chain.BrokenChain) as caught:
        chain.check_anchors(iter([*anchors, *wrong]))
    assert caught.value.number == 40
    beyond = [chain.Anchor(1500, "ab" * 32), chain.Anchor(1400, "ab" * 32)]
    with pytest.raises(chain.BrokenChain, match=r"event 1201: missing.*names event 1400"):
        chain.check_anchors(beyond)


def test_one_anchor_before_the_first_event_and_one_at_the_last_are_checked(
    five_events: list[AuditEvent],
) -> None:
    assert chain.check_anchors([chain.Anchor(0, chain.GENESIS), chain.head()]) == 2
    assert chain.check_anchors([]) == 0
    for number in (0, 5):
        with pytest.raises(chain.BrokenChain, match=rf"event {number}: not the event"):
            chain.check_anchors([chain.Anchor(number, "ab" * 32)])
    with pytest.raises(chain.BrokenChain, match=r"event 6: missing.*names event 6"):
        chain.check_anchors([chain.Anchor(6, "ab" * 32)])


@pytest.mark.parametrize("text", ["", "5", "5:xyz", "-1:" + "0" * 64, "5:" + "0" * 63])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an anchor is"):
        chain.Anchor.parse(text)


# --- The check itself ---------------------------------------------------------------------------


@pytest.mark.integration
def test_verification_reads_once_and_keeps_little(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The peak for 4,000 events is that for 2,000: two chunks, the one in hand and the next."""
    write_quickly(4000)

    def peak() -> int:
        tracemalloc.start()
        try:
            with django_assert_num_queries(1):
                chain.verify()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak()  # What is made once and kept, such as compiled queries, belongs to neither.
    everything = peak()
    with lifted():
        AuditEvent.objects.filter(id__gt=2000).delete()
    assert everything < 1.5 * peak()


def test_progress_counts_every_event(five_events: list[AuditEvent]) -> None:
    seen: list[int] = []
    chain.verify(progress=seen.append)
    assert seen == [1, 2, 3, 4, 5]


# --- At once ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_database_access")
def test_threads_write_one_chain_on_sqlite(tmp_path: Path) -> None:
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": tmp_path / "audit.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30},
    }
    with as_default(database):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
        migrate()
        write_at_once(database, threads=6, events=20)
        assert chain.verify().number == 120


def test_the_database_refuses_a_fork(five_events: list[AuditEvent]) -> None:
    """Were the writers' turns ever to fail, the second one would, and not the chain."""
    rival = AuditEvent.objects.get(id=5)
    rival.id = 6
    with pytest.raises(IntegrityError):
        rival.save(force_insert=True)
