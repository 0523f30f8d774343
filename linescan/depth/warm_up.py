"""What a frame costs on the engines that will run it, measured before the first frame comes."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from linescan.depth.cost import cost, tokens
from linescan.depth.engine import Engine
from linescan.depth.framing import Size
from linescan.depth.probe import probe_image
from linescan.errors import ModelError

ROUNDS: Final = 5
MOST_S: Final = 1.0
"""Time for the measurement of one engine, unless a single pass takes longer."""


@dataclass(frozen=True, slots=True)
class FrameCost:
    """What the depth of one frame costs.

    Attributes:
        passes: the model's input size in each pass.
        tokens: of all passes.
        gflop: of all passes, 10⁹ floating-point operations; None where the model's file does not
            tell.
        ms: measured, all passes one after the other.
        engine: that ran them.
    """

    passes: tuple[Size, ...]
    tokens: int
    gflop: float | None
    ms: float
    engine: str


def measure(passes: Sequence[Size], engines: Mapping[Size, Engine]) -> FrameCost:
    """Time each engine on a probe image, and add up the passes of a frame.

    Raises:
        ModelError: an engine fails.
    """
    counts = Counter(passes)
    first = engines[passes[0]]
    gflop: float | None
    try:
        gflop = sum(count * cost(first.card, size).gflop for size, count in counts.items())
    except ModelError:  # a file of other making
        gflop = None
    return FrameCost(
        passes=tuple(passes),
        tokens=sum(tokens(size) for size in passes),
        gflop=gflop,
        ms=sum(count * pass_ms(engines[size]) for size, count in counts.items()),
        engine=first.name,
    )


def pass_ms(engine: Engine) -> float:
    """Median time of a pass in ms, after one that is not counted."""
    rows, columns = engine.image_shape[:2]
    image = np.ascontiguousarray(probe_image(rows, columns))
    engine.infer(image)
    times: list[float] = []
    while len(times) < ROUNDS and sum(times) < MOST_S:
        began = time.perf_counter()
        engine.infer(image)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3
