"""Interval sets behave as sets of line numbers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from linescan.intervals import IntervalSet
from linescan.records import Interval

intervals = st.lists(st.builds(Interval, st.integers(-30, 60), st.integers(-2, 12)), max_size=12)


def lines(given_intervals: list[Interval] | IntervalSet) -> set[int]:
    return {line for i in given_intervals for line in range(i.first, i.end)}


@given(intervals, intervals)
def test_operations_equal_those_of_sets(a: list[Interval], b: list[Interval]) -> None:
    one, other = IntervalSet(a), IntervalSet(b)
    assert lines(one) == lines(a)
    assert lines(one.union(other)) == lines(a) | lines(b)
    assert lines(one.intersection(other)) == lines(a) & lines(b)
    assert lines(one.minus(other)) == lines(a) - lines(b)
    assert one.count() == len(lines(a))


@given(intervals)
def test_intervals_are_sorted_disjoint_and_merged(a: list[Interval]) -> None:
    merged = list(IntervalSet(a))
    assert all(x.end < y.first for x, y in itertools.pairwise(merged))
    assert all(i.count > 0 for i in merged)


@given(intervals, st.integers(-40, 80))
def test_cutting_at_a_line_splits_the_set(a: list[Interval], line: int) -> None:
    whole = IntervalSet(a)
    assert lines(whole.below(line)) == {x for x in lines(a) if x < line}
    assert lines(whole.from_line(line)) == {x for x in lines(a) if x >= line}


@given(intervals, st.integers(0, 30))
def test_line_at_is_the_sorted_position(a: list[Interval], index: int) -> None:
    ordered = sorted(lines(a))
    if index < len(ordered):
        assert IntervalSet(a).line_at(index) == ordered[index]
