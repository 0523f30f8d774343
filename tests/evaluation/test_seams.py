"""Objects that borders cut are held against the same uncut, and uncut ones against each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linescan.evaluation.seams import Phase, SeamScore, score_seams, score_uncut
from linescan.whole import Cut, WholeObject


def thing(first_line: int, lines: int, area: float = 1000.0, column: int = 10) -> WholeObject:
    return WholeObject(
        track=1,
        first_line=first_line,
        line_count=lines,
        first_column=column,
        column_count=20,
        area_px=area,
        mean_height=1.0,
        max_height=1.0,
        volume_px=area,
        elongation=1.0,
        extent=1.0,
        cut=Cut.NONE,
        merged=(),
    )


def phase(first_line: int, objects: Sequence[WholeObject]) -> Phase:
    """Frames of 100 lines, 20 of them shared: begun at line 0, it has borders at 80 and 100."""
    return Phase(first_line, 4, 100, 20, objects)


def counts(score: SeamScore) -> tuple[int, int, int]:
    return score.asked, score.once, score.right


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([thing(70, 20)], (1, 1, 1)),
        ([thing(70, 20, 1049.0)], (1, 1, 1)),
        ([thing(70, 20, 1051.0)], (1, 1, 0)),
        ([thing(70, 10, 500.0), thing(80, 10, 500.0)], (1, 0, 0)),
        ([thing(70, 9, 450.0)], (1, 0, 0)),
        ([thing(70, 20, column=40)], (1, 0, 0)),
        ([], (1, 0, 0)),
    ],
)
def test_a_cut_object_comes_out_once_and_as_large(
    there: list[WholeObject], expected: tuple[int, int, int]
) -> None:
    """The run that begins at line 40 shows it in one frame; that which begins at 0 cuts it."""
    phases = [phase(40, [thing(70, 20)]), phase(0, there)]
    assert counts(score_seams(phases)) == expected


def test_what_no_border_comes_near_is_counted_apart() -> None:
    phases = [phase(40, [thing(110, 8, 1000.0)]), phase(30, [thing(110, 8, 1100.0)])]
    assert counts(score_seams(phases)) == (0, 0, 0)
    phases = [phase(40, [thing(80, 8, 1000.0)]), phase(30, [thing(80, 8, 1100.0)])]
    score = score_uncut(phases)
    assert counts(score) == (1, 1, 0)
    assert score.deviations == pytest.approx((0.1,))


def test_each_object_is_a_reference_once() -> None:
    """However many runs show it uncut."""
    phases = [phase(40, [thing(80, 8)]), phase(30, [thing(80, 8)]), phase(0, [thing(76, 8)])]
    assert counts(score_uncut(phases))[0] == 1
    phases = [phase(40, [thing(80, 8)]), phase(30, [thing(80, 8)]), phase(4, [thing(80, 8)])]
    assert counts(score_seams(phases)) == (1, 1, 1)
