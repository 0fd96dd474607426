"""Sets of bytes as intervals: the same set, whatever the order and the overlaps."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from files.vault import intervals

edges = st.integers(0, 40)
several = st.lists(st.tuples(edges, edges).map(list), max_size=12)


def members(found: list[list[int]]) -> set[int]:
    return {number for start, stop in found for number in range(start, stop)}


@given(several)
def test_merging_keeps_the_set_and_makes_it_short(found: list[list[int]]) -> None:
    merged = intervals.merged(found)
    assert members(merged) == members(found)
    assert intervals.length(merged) == len(members(found))
    assert all(start < stop for start, stop in merged)
    # Sorted, and with a gap between any two.
    assert all(a[1] < b[0] for a, b in pairwise(merged))
    assert intervals.merged(merged) == merged


@example([1 + 7 * place % 9 for place in range(intervals.AT_MOST + 40)], intervals.AT_MOST)
@given(st.lists(st.integers(1, 9), min_size=13, max_size=40), st.just(12))
def test_of_too_many_the_shortest_are_forgotten(lengths: list[int], at_most: int) -> None:
    found = [[10 * place, 10 * place + length] for place, length in enumerate(lengths)]
    with mock.patch.object(intervals, "AT_MOST", at_most):
        kept = intervals.merged(found)
    assert len(kept) == at_most
    assert all(one in found for one in kept)
    forgotten = [b - a for a, b in found if [a, b] not in kept]
    assert max(forgotten) <= min(b - a for a, b in kept)


def test_they_are_described_for_people() -> None:
    assert intervals.described([[0, 100], [200, 300]]) == "0-99,200-299"
    assert intervals.described([]) == ""
    assert intervals.described([[n, n + 1] for n in range(0, 40, 2)], at_most=2) == "0-0,2-2,…"
