"""What samples must tell before anything is learned from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linescan.training.pairs import PairsError, Sample

MOST_FLAT = 0.9
"""Share of what is learned from, without truth, that may be marked as flat: there nothing holds the
relief, and a flat web is the best answer."""


def has_relief(sample: Sample) -> bool:
    """Whether heights of the sample are known that differ."""
    seen = sample.height[np.isfinite(sample.height)]
    return seen.size > 2 and float(seen.std(dtype=np.float64)) > 0


def check_held_out(samples: Sequence[Sample], *, relief: bool) -> None:
    """Make sure that a model can be judged on samples with truth.

    Args:
        samples: held out.
        relief: their heights must differ.

    Raises:
        PairsError: they tell nothing.
    """
    for sample in samples:
        if np.isfinite(sample.height).sum() <= 2:
            raise PairsError(f"{sample.name}: hardly a point of its held-out part is known")
        if relief and not has_relief(sample):
            raise PairsError(
                f"{sample.name}: its held-out part has the same height everywhere, which tells "
                "nothing of relief: hold out more, or name the samples with relief (--only)"
            )


def check_flat(samples: Sequence[Sample]) -> None:
    """Make sure that without truth something holds the relief.

    Raises:
        PairsError: nearly everything is marked as flat.
    """
    flat = float(np.mean(np.concatenate([each.flat.ravel() for each in samples])))
    if flat > MOST_FLAT:
        raise PairsError(
            f"{flat:.0%} of what is learned from is marked as flat, and a flat web would be the "
            f"best answer: mark at most {MOST_FLAT:.0%}, or add images with relief"
        )
