"""All pictures, one after the other; memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from linescan.evaluation.gray_rgb.colour import Loader, Skipped
from linescan.evaluation.gray_rgb.compare import PictureScore, Shown, compare
from linescan.evaluation.gray_rgb.engines import EnginePair

LEAST_ROUNDS = 30
"""Timed rounds of all pictures together, at least, where their number is not given."""
MOST_SHOWN = 8
"""Pictures that the report shows: half of them those that differ most, half those that differ
least."""


@dataclass(slots=True)
class Comparison:
    """What came out so far.

    Attributes:
        wanted: pictures that were asked for.
        scores: one a compared picture, in order.
        skipped: those that could not be compared.
        shown: at most ``MOST_SHOWN``, the most different first.
    """

    wanted: int
    scores: list[PictureScore] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Every picture was compared or skipped."""
        return len(self.scores) + len(self.skipped) == self.wanted

    def add(self, result: Shown | Skipped) -> None:
        """Take note of one picture."""
        if isinstance(result, Skipped):
            self.skipped.append(result)
            return
        self.scores.append(result.score)
        self.shown.append(result)
        self.shown.sort(key=lambda s: -s.score.gray.deviation)
        del self.shown[MOST_SHOWN // 2 : -MOST_SHOWN // 2]


def run(
    loaders: Sequence[Loader],
    engines: EnginePair,
    rounds: int | None = None,
    on_picture: Callable[[Comparison], None] = lambda _so_far: None,
) -> Comparison:
    """Compare all pictures; Ctrl-C ends early with what was done, if that is anything.

    Args:
        loaders: give the pictures.
        engines: what runs them.
        rounds: timed rounds a picture; enough for ``LEAST_ROUNDS`` in all where None.
        on_picture: called after each picture.

    Raises:
        ModelError: an engine failed.
        KeyboardInterrupt: ended before the first picture was compared.
    """
    comparison = Comparison(len(loaders))
    each = rounds or -(-LEAST_ROUNDS // len(loaders))
    try:
        for load in loaders:
            picture = load()
            if isinstance(picture, Skipped):
                comparison.add(picture)
            else:
                comparison.add(compare(picture, engines, each))
            on_picture(comparison)
    except KeyboardInterrupt:
        if not comparison.scores:
            raise
    return comparison
