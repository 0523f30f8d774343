"""The ledger gives each captured line exactly one fate."""

from hypothesis import given
from hypothesis import strategies as st

from linescan.ledger import MAX_OPEN_INTERVALS, Ledger
from linescan.records import Cause, Interval, Loss

spans = st.tuples(st.integers(0, 80), st.integers(1, 20))
causes = st.sampled_from([Cause.CAMERA_GAP, Cause.QUEUE_OVERFLOW, Cause.BAD_BLOCK])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), spans, causes), st.tuples(st.just("lose"), spans, causes)
    ),
    max_size=15,
)


@given(steps)
def test_every_line_has_the_fate_a_plain_table_gives_it(
    story: list[tuple[str, tuple[int, int], Cause]],
) -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 100)])
    published: set[int] = set()
    cause_of: dict[int, Cause] = {}
    for what, (first, count), cause in story:
        lines = range(first, first + count)
        if what == "publish":
            ledger.publish([Interval(first, count)])
            published.update(lines)
        else:
            ledger.lose(Loss(first, count, cause))
            for line in lines:
                cause_of.setdefault(line, cause)
    totals = ledger.totals()
    lost = {line: cause for line, cause in cause_of.items() if line not in published}
    assert totals.published == len(published)
    for cause in Cause:
        assert totals.lost.get(cause, 0) == sum(c == cause for c in lost.values())
    assert totals.open == 100 - len(published) - len(lost)
    assert totals.captured == totals.published + totals.lost_total + totals.open
    assert totals.balanced == (totals.open == 0)


@given(steps, st.lists(st.integers(0, 110), max_size=4))
def test_settling_changes_no_total(
    story: list[tuple[str, tuple[int, int], Cause]], marks: list[int]
) -> None:
    plain, settled = Ledger(), Ledger()
    for ledger in (plain, settled):
        ledger.capture([Interval(0, 100)])
        for what, (first, count), cause in story:
            if what == "publish":
                ledger.publish([Interval(first, count)])
            else:
                ledger.lose(Loss(first, count, cause))
    for mark in marks:
        settled.settle(mark)
    assert settled.totals() == plain.totals()


def test_a_late_loss_still_claims_an_open_line_after_settling() -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 100)])
    ledger.publish([Interval(0, 40)])
    ledger.settle(80)
    assert ledger.totals().open == 60
    ledger.lose(Loss(40, 60, Cause.QUEUE_OVERFLOW))
    assert ledger.totals().balanced
    assert ledger.totals().lost == {Cause.QUEUE_OVERFLOW: 60}


def test_a_second_fate_of_a_settled_line_does_not_count() -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 100)])
    ledger.publish([Interval(0, 100)])
    ledger.settle(100)
    ledger.lose(Loss(10, 20, Cause.SHUTDOWN))
    ledger.publish([Interval(50, 50)])
    totals = ledger.totals()
    assert (totals.published, totals.lost, totals.phantom) == (100, {}, 0)


def test_lines_nobody_captured_are_phantoms() -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 10)])
    ledger.publish([Interval(0, 12)])
    totals = ledger.totals()
    assert totals.phantom == 2
    assert not totals.balanced
    assert "NOT balanced" in totals.explain()


def test_a_line_eaten_silently_is_named() -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 30)])
    ledger.publish([Interval(0, 10)])
    ledger.publish([Interval(20, 10)])
    assert list(ledger.open_lines()) == [Interval(10, 10)]
    assert not ledger.totals().balanced


def test_estimates_are_counted() -> None:
    ledger = Ledger()
    ledger.capture([Interval(0, 30)])
    ledger.lose(Loss(0, 30, Cause.CAMERA_GAP, estimated=True))
    assert ledger.totals().estimated == 30


def test_lines_under_way_are_not_given_up_to_bound_the_memory() -> None:
    ledger, ahead = Ledger(), 40_000
    for k in range(2 * MAX_OPEN_INTERVALS):
        ledger.capture([Interval(0, ahead) if k == 0 else Interval(ahead + 2 * k - 2, 2)])
        ledger.publish([Interval(2 * k, 1)])
        ledger.lose(Loss(2 * k + 1, 1, Cause.CAMERA_GAP))
        assert ledger._intervals() <= MAX_OPEN_INTERVALS + 2
    decided = 4 * MAX_OPEN_INTERVALS
    totals = ledger.totals()
    assert (totals.published, totals.lost_total) == (decided // 2, decided // 2)
    assert totals.open == totals.captured - decided
    ledger.publish([Interval(decided, totals.open)])
    assert ledger.totals().balanced


def test_memory_is_bounded_when_nothing_is_settled() -> None:
    ledger = Ledger()
    for k in range(3 * MAX_OPEN_INTERVALS):
        ledger.capture([Interval(3 * k, 2)])
        ledger.publish([Interval(3 * k, 1)])
        assert ledger._intervals() <= MAX_OPEN_INTERVALS + 2
    totals = ledger.totals()
    assert totals.captured == 6 * MAX_OPEN_INTERVALS
    assert totals.published == totals.open == 3 * MAX_OPEN_INTERVALS
