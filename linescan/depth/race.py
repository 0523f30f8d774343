"""The race of engines: times of interleaved rounds, whether they settle it, and what was found."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import Engine, LoadedModel
from linescan.depth.candidates import Candidate
from linescan.depth.card import ModelCard
from linescan.errors import ModelError

ROUNDS = 5
MIN_ROUNDS = 3
RACE_S = 1.0
"""Rounds end after this time, at the earliest after ``MIN_ROUNDS``."""
TOO_SLOW = 1.5
"""Who needs so many times the time of the fastest in the first round, and in the gate before it,
runs no further round."""


class RunnerError(ModelError):
    """An engine failed during the race.

    Attributes:
        name: which.
        reason: what it raised.
    """

    def __init__(self, name: str, reason: ModelError) -> None:
        super().__init__(str(reason))
        self.name = name
        self.reason = reason


@dataclass(slots=True)
class Choice:
    """What a race found.

    Attributes:
        ranked: what passed the gate, fastest first.
        ms: median time for an image, or the one time of an engine that was too slow for more;
            empty where there was nothing to compare.
        refused: why others were not taken, by name of candidate or backend.
        untried: what was left out because it could not win.
        faulty: one of them is installed and should have worked.
        settled: the race told the two fastest apart.
    """

    ranked: list[Candidate] = field(default_factory=list)
    ms: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    untried: list[Candidate] = field(default_factory=list)
    faulty: bool = False
    settled: bool = True


def race(
    engines: Mapping[str, Engine],
    image: npt.NDArray[np.uint8],
    before: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, list[float]]:
    """Times for an image in ms, one for each round that an engine ran.

    Args:
        engines: by name; where it is one, there is no contest and no time.
        image: that they run.
        before: earlier times in ms. An engine leaves after the first round where the better of the
            two is ``TOO_SLOW``: one disturbance does not throw it out. Without, all run to the end.

    Raises:
        RunnerError: an engine fails.
    """
    if len(engines) < 2:
        return {}
    durations: dict[str, list[float]] = {name: [] for name in engines}
    running = dict(engines)
    start = time.perf_counter()
    for done in range(ROUNDS):
        if done >= MIN_ROUNDS and time.perf_counter() - start > RACE_S:
            break
        for name, engine in running.items():
            began = time.perf_counter()
            try:
                engine.infer(image)
            except ModelError as error:
                raise RunnerError(name, error) from error
            durations[name].append(1e3 * (time.perf_counter() - began))
        if done == 0 and before:
            best = {n: min(first[0], before.get(n, first[0])) for n, first in durations.items()}
            limit = TOO_SLOW * min(best.values())
            running = {name: running[name] for name, ms in best.items() if ms <= limit}
    return durations


def medians(durations: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Median time for an image in ms."""
    return {name: round(statistics.median(each), 3) for name, each in durations.items()}


def settled(durations: Mapping[str, Sequence[float]]) -> bool:
    """Whether the two fastest are told apart.

    They are not where their order differs between rounds and their medians are no further apart
    than the sum of their median absolute deviations: the machine was busy, or they are as fast.
    Who left after the first round is told apart from the others.
    """
    most = max(map(len, durations.values()), default=0)
    finished = [each for each in durations.values() if len(each) == most]
    if len(finished) < 2:
        return True
    first, second = sorted(finished, key=statistics.median)[:2]
    ahead = {a < b for a, b in zip(first, second, strict=True)}
    gap = statistics.median(second) - statistics.median(first)
    return len(ahead) == 1 or gap > _spread(first) + _spread(second)


def account(
    engine: LoadedModel, ms: Mapping[str, float], refused: Mapping[str, str] = MappingProxyType({})
) -> str:
    """One line: what was chosen, and why."""
    parts = []
    if engine.deviation is not None:
        parts.append(f"{engine.deviation:.2g} sigma off the fp32 reference")
    if len(ms) > 1:
        ranking = sorted(ms.items(), key=lambda item: item[1])
        parts.append(", ".join(f"{name} {value:.1f} ms" for name, value in ranking))
    parts += [f"not {name}: {why}" for name, why in refused.items()]
    rows, columns = engine.size
    what = f"depth model '{engine.card.name}' {rows}x{columns} runs on {engine.name}"
    return "; ".join([f"{what} ({engine.device})", *parts])


def no_engine(card: ModelCard, choice: Choice) -> str:
    """One line: why nothing was chosen."""
    reasons = "; ".join(f"{name}: {why}" for name, why in choice.refused.items())
    return f"cannot load depth model '{card.name}': {reasons}"


def _spread(values: Sequence[float]) -> float:
    """Median absolute deviation: one round that was disturbed does not count."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)
