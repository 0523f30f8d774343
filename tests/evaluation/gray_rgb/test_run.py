"""Many pictures: counted, bounded in memory, and kept when the user ends early."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.evaluation.gray_rgb.colour import ColourPicture, Loader, Skipped
from linescan.evaluation.gray_rgb.run import LEAST_ROUNDS, MOST_SHOWN, Comparison, run
from tests.evaluation.gray_rgb.handmade import colour_noise, open_sums

RED = (1.0, 0.0, 0.0)


def faded(share: float) -> Loader:
    """A picture of which ``share`` of the colour is taken away: gray differs less from it."""
    rgb = colour_noise(1).astype(np.float64)
    gray = rgb.mean(axis=2, keepdims=True)
    pixels = np.rint(rgb + share * (gray - rgb)).astype(np.uint8)
    return lambda: ColourPicture(f"{share:.2f}", pixels)


def test_the_most_and_the_least_different_pictures_are_kept_and_no_more(tmp_path: Path) -> None:
    shares = np.linspace(0.0, 0.9, 2 * MOST_SHOWN + 1)
    order = np.random.default_rng(2).permutation(len(shares))
    kept: list[int] = []
    comparison = run(
        [faded(shares[n]) for n in order],
        open_sums(tmp_path, RED),
        1,
        lambda so_far: kept.append(len(so_far.shown)),
    )
    assert comparison.complete
    assert len(comparison.scores) == len(shares)
    assert max(kept) == MOST_SHOWN
    half = MOST_SHOWN // 2
    expected = [f"{s:.2f}" for s in (*shares[:half], *shares[-half:])]
    assert [one.score.name for one in comparison.shown] == expected


def test_few_pictures_get_more_rounds(tmp_path: Path) -> None:
    engines = open_sums(tmp_path, RED)
    (alone,) = run([faded(0.1)], engines).scores
    assert len(alone.rounds) == LEAST_ROUNDS
    (given,) = run([faded(0.1)], engines, 2).scores
    assert len(given.rounds) == 2


def test_what_is_skipped_is_counted(tmp_path: Path) -> None:
    loaders: list[Loader] = [lambda: Skipped("x.png", "it is gray"), faded(0.2)]
    comparison = run(loaders, open_sums(tmp_path, RED), 1)
    assert comparison.complete
    assert [s.name for s in comparison.skipped] == ["x.png"]
    assert len(comparison.scores) == 1


def test_an_early_end_keeps_what_was_done(tmp_path: Path) -> None:
    def interrupted() -> ColourPicture:
        raise KeyboardInterrupt

    loaders: list[Loader] = [faded(0.1), interrupted, faded(0.2)]
    engines = open_sums(tmp_path, RED)
    comparison = run(loaders, engines, 1)
    assert not comparison.complete
    assert len(comparison.scores) == 1
    with pytest.raises(KeyboardInterrupt):
        run(loaders[1:], engines, 1)


def test_nothing_is_complete_before_the_last() -> None:
    comparison = Comparison(wanted=1)
    assert not comparison.complete
    comparison.add(Skipped("a", "b"))
    assert comparison.complete
