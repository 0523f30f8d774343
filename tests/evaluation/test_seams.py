"""Objects that borders cut are held against the same uncut, and uncut ones against each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linescan.evaluation.seams import Phase, SeamScore, score_seams, uncut_shares
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


def test_the_same_object_uncut_in_two_runs_is_the_control() -> None:
    """Of another area in the second run: then the third, which cuts it, is no worse."""
    uncut = [phase(40, [thing(70, 9)]), phase(30, [thing(70, 9, 1100.0)])]
    assert uncut_shares(uncut) is None  # nothing is cut
    phases = [*uncut, phase(4, [thing(70, 9, 900.0)]), phase(3, [thing(70, 9)])]
    assert not any(run.borders(thing(70, 9)) for run in uncut)
    assert counts(score_seams(phases)) == (0, 0, 0)
    cut = [phase(-6, [thing(70, 9)])]
    assert cut[0].borders(thing(70, 9))
    assert counts(score_seams(uncut + cut)) == (1, 1, 1)
    assert uncut_shares(uncut + cut) == (1.0, 0.0)
    assert uncut_shares(uncut[:1] + cut) is None  # only one run has it uncut


def test_each_object_is_a_reference_once() -> None:
    """However many runs show it uncut."""
    phases = [phase(40, [thing(70, 9)]), phase(30, [thing(70, 9)]), phase(-6, [thing(70, 9)])]
    assert counts(score_seams(phases)) == (1, 1, 1)


def test_what_does_not_come_again_uncut_counts_against_the_control() -> None:
    """Two objects that are cut twice each: one comes in every run, the other in two of four."""
    steady, fickle = thing(70, 9), thing(70, 9, column=60)
    phases = [
        phase(40, [steady, fickle]),
        phase(30, [steady]),
        phase(-6, [steady, fickle]),
        phase(-5, [steady]),
    ]
    assert counts(score_seams(phases)) == (4, 3, 3)
    assert uncut_shares(phases) == (0.5, 0.5)
