"""From figures to words, by limits that stand here and not in the result.

The claim under test: the depth from gray differs negligibly from that from RGB, and gray is 20 %
faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from linescan.evaluation.gray_rgb.compare import Difference, PictureScore

TOLERANCE: Final = 0.02
"""Deviation (RMSE over sigma) that counts as negligible in any case: engines may deviate from the
fp32 reference by as much."""
SMALL: Final = 0.10
"""Deviation up to which a difference is called small: a correlation of 0.995."""
SHARE: Final = 0.9
"""Share of the pictures that must keep a limit."""
CLAIMED_RATIO: Final = 1 / 1.2
"""Gray over RGB in time that "20 % faster" asks for, read the easier way: 1.2 times the speed."""
LEAST_PICTURES: Final = 20
"""With fewer the verdict is called an indication."""


class Size(StrEnum):
    """How large the difference is."""

    NEGLIGIBLE = "negligible"
    SMALL = "small, but measurable"
    CONSIDERABLE = "not negligible"


class Speed(StrEnum):
    """How much faster gray is."""

    AS_CLAIMED = "at least 20 % faster"
    FASTER = "faster, but by less than 20 %"
    EQUAL = "no faster that could be told from the spread of the rounds"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The words, and the figures that they rest on.

    Attributes:
        size: how large the difference of depths is.
        speed: how much faster gray is, from picture to depth.
        pictures: how many were compared.
        share_negligible: of them within ``negligible_limit``.
        share_small: of them within ``SMALL``.
        same_sign: share of them in which near stays near.
        ratio: median of gray over RGB in time, from picture to depth.
        ratio_range: its quartiles.
        engine_ratio: the same of the engine alone.
    """

    size: Size
    speed: Speed
    pictures: int
    share_negligible: float
    share_small: float
    same_sign: float
    ratio: float
    ratio_range: tuple[float, float]
    engine_ratio: float

    @property
    def enough(self) -> bool:
        """There are pictures enough for more than an indication."""
        return self.pictures >= LEAST_PICTURES


def negligible_limit(score: PictureScore) -> float:
    """Deviation up to which gray is negligible in a picture: what JPEG does.

    At least ``TOLERANCE``, at most ``SMALL``: that JPEG, too, ruins a picture excuses nothing.
    """
    return min(SMALL, max(TOLERANCE, score.jpeg.deviation))


def judge(scores: Sequence[PictureScore]) -> Verdict:
    """Put figures into words.

    A difference is negligible if in ``SHARE`` of the pictures it keeps ``negligible_limit`` and in
    all of them the sign; small if it keeps ``SMALL`` likewise. Gray is faster if three quarters of
    the rounds say so, and as fast as claimed if their median reaches ``CLAIMED_RATIO``.

    Raises:
        ValueError: there is nothing to judge.
    """
    if not scores:
        raise ValueError("no picture was compared")
    negligible = _share(scores, lambda s: s.gray.deviation <= negligible_limit(s))
    small = _share(scores, lambda s: s.gray.deviation <= SMALL)
    same_sign = _share(scores, lambda s: s.gray.same_sign)
    size = Size.CONSIDERABLE
    if same_sign == 1.0 and negligible >= SHARE:
        size = Size.NEGLIGIBLE
    elif same_sign == 1.0 and small >= SHARE:
        size = Size.SMALL
    rounds = [r for s in scores for r in s.rounds]
    low, ratio, high = (float(q) for q in np.quantile([r.ratio for r in rounds], [0.25, 0.5, 0.75]))
    speed = Speed.EQUAL
    if high < 1.0:
        speed = Speed.AS_CLAIMED if ratio <= CLAIMED_RATIO else Speed.FASTER
    return Verdict(
        size=size,
        speed=speed,
        pictures=len(scores),
        share_negligible=negligible,
        share_small=small,
        same_sign=same_sign,
        ratio=ratio,
        ratio_range=(low, high),
        engine_ratio=float(np.median([r.engine_ratio for r in rounds])),
    )


def summary(scores: Sequence[PictureScore]) -> dict[str, Any]:
    """The figures of all pictures together: median, worst decile and worst of each."""
    variants: dict[str, Callable[[PictureScore], Difference]] = {
        "gray": lambda s: s.gray,
        "noise": lambda s: s.noise,
        "jpeg": lambda s: s.jpeg,
    }
    figures: dict[str, Any] = {}
    for name, variant in variants.items():
        deviation = [variant(s).deviation for s in scores]
        ranks = [variant(s).rank_correlation for s in scores]
        figures[name] = {
            "deviation": _spread(deviation, worst_decile=0.9, worst=max),
            "rank_correlation": _spread(ranks, worst_decile=0.1, worst=min),
            "same_sign": _share(scores, lambda s, of=variant: of(s).same_sign),  # type: ignore[misc]
        }
    truths = [s.truth for s in scores if s.truth is not None]
    if truths:
        figures["truth"] = {
            "gray": float(np.median([t.gray for t in truths])),
            "rgb": float(np.median([t.rgb for t in truths])),
        }
    rounds = [r for s in scores for r in s.rounds]
    figures["time_ms"] = {
        f"{kind}_{step}": float(np.median([getattr(r, f"{kind}_{step}") for r in rounds]))
        for kind in ("gray", "rgb")
        for step in ("prepare", "engine")
    }
    return figures


def _spread(
    values: Sequence[float], worst_decile: float, worst: Callable[[Sequence[float]], float]
) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "worst_decile": float(np.quantile(values, worst_decile)),
        "worst": worst(values),
    }


def _share(scores: Sequence[PictureScore], holds: Callable[[PictureScore], bool]) -> float:
    return float(np.mean([holds(s) for s in scores]))
