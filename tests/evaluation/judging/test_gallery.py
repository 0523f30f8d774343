"""Which frames are shown."""

from __future__ import annotations

import random
from collections.abc import Sequence

from linescan.evaluation.judging.gallery import ENDS, MIDDLE, Gallery, Panel


def offered(scores: Sequence[float | None]) -> tuple[Gallery, list[int]]:
    """A gallery that was offered frames of these scores, and the numbers of those it drew."""
    gallery, drawn = Gallery(), []
    for number, score in enumerate(scores):

        def draw(number: int = number) -> tuple[Panel, ...]:
            drawn.append(number)
            return (Panel("image", str(number).encode()),)

        gallery.offer(str(number), score, draw)
    return gallery, drawn


def test_best_worst_and_frames_near_the_median_are_shown() -> None:
    scores = [n / 1000 for n in range(1000)]
    random.Random(3).shuffle(scores)
    gallery, drawn = offered(scores)
    shown = gallery.shown()
    by_rank = {
        rank: [s.score for s in shown if s.rank == rank] for rank in ("best", "median", "worst")
    }
    assert by_rank["best"] == [0.0, 0.001]
    assert by_rank["worst"] == [0.998, 0.999]
    assert len(by_rank["median"]) == MIDDLE
    assert all(0.2 < score < 0.8 for score in by_rank["median"] if score is not None)
    assert len(drawn) < 150  # few of a thousand are drawn at all
    for each in shown:
        assert each.panels[0].jpeg == each.name.encode()


def test_each_frame_is_shown_once_and_few_are_shared_out() -> None:
    gallery, _ = offered([0.5, 0.1])
    assert [(s.rank, s.name) for s in gallery.shown()] == [("best", "1"), ("worst", "0")]
    gallery, _ = offered([0.5])
    assert [(s.rank, s.name) for s in gallery.shown()] == [("best", "0")]


def test_frames_without_a_score_are_shown_as_they_come() -> None:
    gallery, drawn = offered([None] * 50)
    assert [s.rank for s in gallery.shown()] == ["frame"] * (ENDS + MIDDLE)
    assert len(drawn) == ENDS + MIDDLE
