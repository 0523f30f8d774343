"""What a frame costs on the engines that will run it, measured before the first frame comes."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from linescan.depth.cost import cost, tokens
from linescan.depth.engine import Engine
from linescan.depth.framing import Plan, Size
from linescan.depth.framing.assemble import Image, assemble
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray

ROUNDS: Final = 5
MOST_S: Final = 1.0
"""Time for one measurement, unless a single pass, or the tiles of a single frame, take longer."""
GRAIN: Final = 2.0
"""Standard deviation, in gray levels, of what the passes that are made up differ by."""


@dataclass(frozen=True, slots=True)
class FrameCost:
    """What the depth of one frame costs.

    Attributes:
        passes: the model's input size in each pass.
        tokens: of all passes.
        gflop: of all passes, 10⁹ floating-point operations; None where the model's file does not
            tell.
        ms: measured, all passes one after the other, and aligning what they give.
        engine: that ran them.
        align_ms: of ``ms``, fitting and blending tiles; 0 where a frame takes one pass.
    """

    passes: tuple[Size, ...]
    tokens: int
    gflop: float | None
    ms: float
    engine: str
    align_ms: float = 0.0


def measure(plan: Plan, engines: Mapping[Size, Engine]) -> FrameCost:
    """Time each engine on a probe image, add up the passes of a frame, and align as many tiles.

    Raises:
        ModelError: an engine fails.
    """
    passes = plan.passes
    counts = Counter(passes)
    first = engines[passes[0]]
    gflop: float | None
    try:
        gflop = sum(count * cost(first.card, size).gflop for size, count in counts.items())
    except ModelError:  # a file of other making
        gflop = None
    aligning = align_ms(plan)
    return FrameCost(
        passes=passes,
        tokens=sum(tokens(size) for size in passes),
        gflop=gflop,
        ms=sum(count * pass_ms(engines[size]) for size, count in counts.items()) + aligning,
        engine=first.name,
        align_ms=aligning,
    )


def pass_ms(engine: Engine) -> float:
    """Median time of a pass in ms, see ``MOST_S``."""
    rows, columns = engine.image_shape[:2]
    image = np.ascontiguousarray(probe_image(rows, columns))

    def once() -> float:
        began = time.perf_counter()
        engine.infer(image)
        return time.perf_counter() - began

    return _median_ms(once)


def align_ms(plan: Plan) -> float:
    """Median time in ms of fitting and blending the tiles of a frame; 0 where it is one pass.

    It does not depend on the engine, so no pass is run for it: the probe image itself, scaled and
    shifted anew and with some noise, stands for the depth of each tile.
    """
    if len(plan.passes) == 1:
        return 0.0
    image = probe_image(*plan.canvas)
    valid = np.ones(plan.canvas[0], np.bool_)
    rng = np.random.default_rng(3)
    grain: dict[Size, FloatArray] = {}  # made once: it takes longer than aligning does

    def relief(tile: Image) -> FloatArray:
        if tile.shape not in grain:
            grain[tile.shape] = rng.standard_normal(tile.shape, np.float32) * np.float32(GRAIN)
        noise = np.roll(grain[tile.shape], int(rng.integers(tile.shape[0])), axis=0)
        scale, shift = np.float32(np.exp(rng.normal(0.0, 0.3))), np.float32(rng.normal(0.0, 50.0))
        return np.asarray((tile + noise) * scale + shift, np.float32)

    coarse = None if plan.coarse_window is None else relief
    return _median_ms(lambda: assemble(plan, image, valid, relief, coarse).align_ns / 1e9)


def _median_ms(once: Callable[[], float]) -> float:
    """Of what gives the seconds that it took; the first counts only where it left no time."""
    began = time.perf_counter()
    times = [once()]
    while len(times) <= ROUNDS and time.perf_counter() - began < MOST_S:
        times.append(once())
    return statistics.median(times[1:] or times) * 1e3
