"""How each product of a model would be quantised, worked out from what flows through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linescan.depth.card import ModelCard
from linescan.depth.quantise.calibration import (
    STATISTICS_BYTES,
    Image,
    Range,
    Statistics,
    Taps,
    batches,
    best_grid,
    observe,
    observe_ranges,
    ranged,
    try_grids,
)
from linescan.depth.quantise.graph import Array, Graph, Linear, Scores
from linescan.depth.quantise.rounding import LARGEST, Grid, Integers, round_matrix
from linescan.errors import ModelError

MARGIN = 1.15
"""How much wider than what was seen the range of queries and keys is taken."""


@dataclass(frozen=True, slots=True)
class LinearPlan:
    """A linear layer in bytes: output = step · (bytes of the input) · integers + bias.

    Attributes:
        layer: which.
        grid: of its input.
        integers: its matrix on the stretched input, (K, N).
        step: of each column, (N,).
        bias: (N,), the offset of the grid and the mean error of rounding included.
        work: multiplications for an image.
    """

    layer: Linear
    grid: Grid
    integers: Integers
    step: Array
    bias: Array
    work: float


@dataclass(frozen=True, slots=True)
class ScoresPlan:
    """Queries and keys in bytes.

    Neither a factor that moves from queries to keys nor a constant added to all keys changes what
    attention gives: the first shifts nothing, the second shifts a row of scores, which softmax
    takes out.

    Attributes:
        product: which.
        balance: what keys are multiplied and queries divided by, (width,).
        middle: what is taken off the keys before, (width,).
        query_step: of the queries' bytes.
        key_step: of the keys'.
        work: multiplications for an image.
    """

    product: Scores
    balance: Array
    middle: Array
    query_step: float
    key_step: float
    work: float


@dataclass(frozen=True, slots=True)
class Unit:
    """What is quantised together or not at all.

    Attributes:
        name: for the record: a tensor's name.
        linears: its linear layers.
        scores: its attention scores.
    """

    name: str
    linears: tuple[LinearPlan, ...] = ()
    scores: tuple[ScoresPlan, ...] = ()

    @property
    def work(self) -> float:
        """Multiplications for an image."""
        parts: tuple[LinearPlan | ScoresPlan, ...] = (*self.linears, *self.scores)
        return sum(each.work for each in parts)


def make_units(
    proto: Any,
    card: ModelCard,
    images: Sequence[Image],
    checks: Sequence[Image],
    threads: int,
    progress: Callable[[float], None],
    limit: int = STATISTICS_BYTES,
) -> list[Unit]:
    """Work out how each part of a model would be quantised.

    Args:
        proto: the model, an ``onnx.ModelProto``; left as it is.
        card: its card.
        images: what ranges and covariances come from.
        checks: other images, that grids are tried on.
        threads: CPU threads.
        progress: called with the share, 0 to 1, that is done.
        limit: bytes of memory for covariances.

    Raises:
        ModelError: there is nothing in the model to quantise.
    """
    graph = Graph(proto)
    products = graph.find()
    if not products.linears:
        raise ModelError(
            f"{card.path}: no linear layers found in its encoder: export it again with "
            f"'linescan model export'"
        )
    groups = list(batches(products.linears, graph, limit))
    names = ranged(products)
    runs = (len(groups) + bool(names)) * (len(images) + len(checks))
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done / runs)

    ranges = {}
    if names:  # without attention as its parts there are none
        ranges = observe_ranges(Taps(proto, names, threads), [*images, *checks], step)
    units = []
    for group in groups:
        run = Taps(proto, list({each.source for each in group}), threads)
        known = observe(run, group, images, step)
        try_grids(run, graph, group, known, checks, step)
        for layer in group:
            plan = _linear(graph, layer, known.pop(layer.output))
            units.append(Unit(layer.output, linears=(plan,)))
    units += [
        Unit(each.output, scores=(_scores(each, ranges[each.projection]),))
        for each in products.scores
    ]
    return units


def _linear(graph: Graph, layer: Linear, known: Statistics) -> LinearPlan:
    weight, bias = graph.weight(layer.weight), graph.weight(layer.bias)
    grid = best_grid(weight, known)
    stretched = weight * grid.stretch[:, None]
    covariance = known.covariance / np.outer(grid.stretch, grid.stretch)
    # The rows make up for the input's own rounding as well.
    covariance[np.diag_indices_from(covariance)] += grid.step**2 / 12
    integers, step = round_matrix(stretched, covariance)
    mean = (known.mean - grid.offset) / grid.stretch
    bias = bias + grid.offset @ weight + mean @ (stretched - integers * step)
    return LinearPlan(layer, grid, integers, step, bias, float(known.range.places * weight.size))


def _scores(product: Scores, seen: Range) -> ScoresPlan:
    width = len(seen.low) // 3
    low, high = seen.low, seen.high
    query = np.maximum(np.abs(low[:width]), np.abs(high[:width]))
    middle = (low + high)[width : 2 * width] / 2
    key = (high - low)[width : 2 * width] / 2
    tiny = np.finfo(np.float32).tiny
    balance = np.sqrt(np.maximum(query, tiny) / np.maximum(key, tiny))
    balance[(query <= tiny) | (key <= tiny)] = 1.0
    return ScoresPlan(
        product,
        balance,
        middle,
        query_step=_step(MARGIN * float((query / balance).max()), LARGEST),
        key_step=_step(MARGIN * float((key * balance).max()), LARGEST),
        work=float(seen.places) ** 2 * width,
    )


def _step(largest: float, levels: int) -> float:
    return largest / levels if math.isfinite(largest) and largest > 0 else 1.0
