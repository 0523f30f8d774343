"""The nominal web, then each factor alone at each of its levels: the same seeds all along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linescan.errors import LinescanError
from linescan.evaluation.datasets import SimulatedFrames
from linescan.evaluation.datasets.factors import FACTORS
from linescan.evaluation.judging.catalogue import Absent
from linescan.evaluation.judging.run import Question, judge
from linescan.evaluation.judging.verdict import Verdict
from linescan.version import __version__

NOMINAL = "simulated:nominal"
KEYS = ("rmse_over_sigma", "mask_iou", "object_precision", "object_recall", "right_sign")
"""The figures that are followed, see ``catalogue``; the sign, because alignment by scale and shift
turns over what came out upside down."""
FORMAT, VERSION = "linescan-robustness", 1
Progress = Callable[[str, int, int], None]
"""Told the condition that is judged, the frames judged so far, and of how many."""


class RobustnessError(LinescanError):
    """The suite cannot be run as asked for, or its picture cannot be written."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One factor at one level, or the nominal scene.

    Attributes:
        factor: key of ``FACTORS``; None for the nominal scene.
        level: as it is written after the ``=``; empty for the nominal scene.
    """

    factor: str | None = None
    level: str = ""

    @property
    def data_set(self) -> str:
        """Its name for ``linescan evaluate``."""
        return NOMINAL if self.factor is None else f"{NOMINAL}+{self.factor}={self.level}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out under one condition.

    Attributes:
        condition: which.
        verdict: of the yardstick.
    """

    condition: Condition
    verdict: Verdict

    def value(self, key: str) -> float | None:
        """A figure; None where it is absent."""
        value = self.verdict.value(key)
        return None if isinstance(value, Absent) else value


def conditions(factors: Sequence[str] = ()) -> list[Condition]:
    """The nominal scene, and all levels of the given factors; of all factors where none is given.

    Raises:
        RobustnessError: there is no such factor.
    """
    for key in factors:
        if key not in FACTORS:
            raise RobustnessError(f"factor '{key}': expected one of {', '.join(FACTORS)}")
    chosen = [key for key in FACTORS if key in factors or not factors]
    return [Condition()] + [
        Condition(key, FACTORS[key].text(level)) for key in chosen for level in FACTORS[key].levels
    ]


def run(
    question: Question, asked: Sequence[Condition], frames: int, progress: Progress
) -> Iterator[Outcome]:
    """Judge one model under each condition, one after the other.

    Args:
        question: the model and how it is judged.
        asked: the conditions, the nominal one first.
        frames: of each condition; the first ones, one of each seed.
        progress: told how far it is.

    Raises:
        LinescanError: the model cannot be had.
        KeyboardInterrupt: a condition that was not finished is left out.
    """
    question = replace(question, frames=frames)
    for number, condition in enumerate(asked):

        def tell(done: int, _total: int, name: str = condition.data_set, n: int = number) -> None:
            progress(name, n * frames + done, len(asked) * frames)

        (verdict,) = judge(SimulatedFrames(condition.data_set), question, tell)
        if not verdict.complete:
            raise KeyboardInterrupt
        yield Outcome(condition, verdict)


def change(outcome: Outcome, nominal: Outcome) -> tuple[float, float] | None:
    """Mean change of RMSE / σ from the nominal scene, frame by frame, and its standard error.

    None where a frame has none in either, or there is but one frame.
    """
    here, there = (each.verdict.values("rmse_over_sigma") for each in (outcome, nominal))
    if here.shape != there.shape or here.size < 2:
        return None
    apart = here - there
    return float(apart.mean()), float(np.std(apart, ddof=1) / np.sqrt(apart.size))


def to_document(outcomes: Sequence[Outcome], *, complete: bool) -> dict[str, Any]:
    """All outcomes, the nominal one first, for JSON; null where a figure is absent."""
    nominal = outcomes[0]
    return {
        "format": FORMAT,
        "version": VERSION,
        "software": f"linescan {__version__}",
        "complete": complete,
        "model": nominal.verdict.to_json()["model"],
        "alignment": nominal.verdict.alignment,
        "frames": len(nominal.verdict.frames),
        "results": [_entry(each, nominal) for each in outcomes],
    }


def _entry(outcome: Outcome, nominal: Outcome) -> dict[str, Any]:
    moved = change(outcome, nominal)
    return {
        "data_set": outcome.condition.data_set,
        "factor": outcome.condition.factor,
        "level": outcome.condition.level or None,
        "figures": {key: outcome.value(key) for key in KEYS},
        "rmse_over_sigma_change": moved and moved[0],
        "rmse_over_sigma_change_error": moved and moved[1],
        "rmse_over_sigma_frames": outcome.verdict.values("rmse_over_sigma").tolist(),
    }
