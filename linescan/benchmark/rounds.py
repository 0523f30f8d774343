"""Interleaved rounds: in each, every contender runs once, so that all meet the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from linescan.benchmark.contender import Contender, GrayFrame
from linescan.depth.backends.base import first_line

SEED: Final = 4
SETTLE_S: Final = 0.02
"""Between two contenders: thread pools spin for a while after their work, on cores of the next."""


@dataclass(slots=True)
class Times:
    """Durations of one contender's timed runs, ns: all of it, and the model alone."""

    total_ns: list[int] = field(default_factory=list)
    model_ns: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Race:
    """What the rounds gave so far.

    Attributes:
        times: by contender.
        failed: why a contender left, by its name.
        rounds: that are complete.
    """

    times: dict[str, Times] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rounds: int = 0


def race(
    result: Race,
    contenders: Sequence[Contender],
    frames: Sequence[GrayFrame],
    *,
    rounds: int,
    warm_up: int,
    progress: Callable[[int], None] = lambda _: None,
    settle_s: float = SETTLE_S,
) -> None:
    """Fill ``result``; after an interruption it holds the rounds so far.

    Each round has an order of its own, drawn with a fixed seed: nobody runs after the same
    neighbour by far more often than after another. A contender that fails leaves, with its reason;
    the others go on.

    Args:
        result: where to write.
        contenders: of different names.
        frames: taken in turn, the same one for all contenders of a round.
        rounds: timed ones.
        warm_up: rounds before them, not timed.
        progress: told the number of rounds done, warm-up included.
        settle_s: pause before each run.
    """
    running: dict[str, Contender] = {c.name: c for c in contenders}
    if len(running) != len(contenders):
        raise ValueError(f"contenders of the same name: {[c.name for c in contenders]}")
    draw = np.random.default_rng(SEED)
    for number in range(warm_up + rounds):
        lap: dict[str, tuple[int, int]] = {}
        frame = frames[number % len(frames)]
        present = list(running.values())
        for contender in (present[at] for at in draw.permutation(len(present))):
            time.sleep(settle_s)
            try:
                lap[contender.name] = _run(contender, frame)
            except Exception as error:  # noqa: BLE001 - drivers and libraries raise what they like
                result.failed[contender.name] = f"round {number + 1}: {first_line(error)}"
                del running[contender.name]
        if number >= warm_up:
            _note(result, lap)
        progress(number + 1)


def _run(contender: Contender, frame: GrayFrame) -> tuple[int, int]:
    began = time.perf_counter_ns()
    contender.run(frame)
    return time.perf_counter_ns() - began, contender.model_ns


def _note(result: Race, lap: Mapping[str, tuple[int, int]]) -> None:
    """Take a whole round or none of it: every contender has the same rounds."""
    for name, (total, model) in lap.items():
        times = result.times.setdefault(name, Times())
        times.total_ns.append(total)
        times.model_ns.append(model)
    result.rounds += 1
