"""Details of events as people read them: nothing is lost, and nothing of them is markup."""

from __future__ import annotations

import re

from audit import details


def text(data: dict[str, object], **names: str) -> str:
    given = {(kind, "7"): name for kind, name in names.items()}
    shown = re.sub(r"<[^>]+>", "|", details.shown(data, given)).replace("\xa0", " ")
    return re.sub(r"[| ]+", " ", shown).strip()


def test_words_sizes_numbers_and_moments() -> None:
    assert text({"size": 2048, "ms": 12345}) == "size: 2.0 KB milliseconds: 12,345"
    assert text({"custody": "held", "again": True}) == "who keeps the key: the owner again: yes"
    assert text({"expires_at": "2026-12-01T10:30:00+00:00"}) == "until: 1 Dec 2026, 10:30"
    assert text({"something_new": "x"}) == "something new: x"


def test_names_stand_for_ids_where_they_are_known() -> None:
    assert text({"user_id": 7}, user="bob") == "person: bob"
    assert text({"user_id": 8}, user="bob") == "person: 8"
    assert text({"user_id": 7, "username": "bob"}) == "person: bob"
    assert [*details.ids_in({"user_id": 7, "username": "bob", "folder_id": "x"})] == [
        ("folder", "x")
    ]


def test_what_says_nothing_is_left_out() -> None:
    assert text({"reason": "", "grant": None, "exists": False}) == "exists: no"


def test_long_ones_are_cut_and_stay_whole_in_the_title() -> None:
    long = "x" * 300
    shown = details.shown({"permissions": long})
    assert f'title="{long}"' in shown
    assert f">{'x' * 59}…</bdi>" in shown


def test_nothing_in_them_is_markup() -> None:
    assert "<script>" not in details.shown({"reason": "<script>", "<b>": '"><b>'})


def test_what_only_looks_like_a_moment_stays() -> None:
    for odd in ("2026-13-45T99:99:99+00:00", "2026-01-01T00:00:00", "not a moment at all"):
        assert text({"reason": odd}) == f"reason: {odd}"
