"""What flows through a model on recorded frames: ranges, covariances, and errors of grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.depth.card import INPUT, import_onnxruntime
from linescan.depth.quantise.graph import Array, Graph, Linear, Products
from linescan.depth.quantise.rounding import GPTQ_LEAVES, Grid, grids, weight_noise

Image = npt.NDArray[np.uint8]
STATISTICS_BYTES = 1 << 29
"""Most memory for covariances at a time; layers that need more are taken in several passes."""
COVARIED = 16
"""Frames that covariances come from: they settle soon. Ranges do not, and take all frames."""
TRIED = 16
"""Frames that grids are tried on."""


@dataclass(slots=True)
class Range:
    """Smallest and largest value of each channel that was seen, (C,).

    Attributes:
        low: the smallest.
        high: the largest.
        places: on how many places a channel was seen in one frame.
    """

    low: Array
    high: Array
    places: int

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Widen it by values (n, C)."""
        self.low = np.minimum(self.low, values.min(axis=0))
        self.high = np.maximum(self.high, values.max(axis=0))
        self.places = len(values)


@dataclass(slots=True)
class Statistics:
    """Of a linear layer's input.

    Attributes:
        range: what was seen on the frames to calibrate on.
        reach: what was seen on all frames.
        count: how many tokens the rest was added up over.
        centre: a point near them, (K,): what is added up stays small, and exact enough.
        total: the sum of what they are off it, (K,).
        products: the sum of the outer products of that, (K, K).
        errors: for each grid tried, the mean square error of the outputs, summed, that rounding
            the input to it causes, on the worst of the frames it was tried on.
    """

    range: Range
    reach: Range
    count: int
    centre: Array
    total: Array
    products: Array
    errors: list[float] = field(default_factory=list)

    @property
    def mean(self) -> Array:
        """Of the channels, (K,)."""
        return np.asarray(self.centre + self.total / self.count)

    @property
    def covariance(self) -> Array:
        """Of the channels, (K, K)."""
        off = self.total / self.count
        return np.asarray(self.products / self.count - np.outer(off, off))


def batches(linears: Sequence[Linear], graph: Graph, limit: int) -> Iterator[list[Linear]]:
    """The layers, in order, in groups whose covariances together need no more than ``limit`` bytes.

    A layer that alone needs more is a group of its own.
    """
    group: list[Linear] = []
    used = 0
    for linear in linears:
        need = 8 * graph.shape(linear.weight)[0] ** 2
        if group and used + need > limit:
            yield group
            group, used = [], 0
        group.append(linear)
        used += need
    if group:
        yield group


class Taps:
    """Runs the model in fp32 and hands out tensors from inside it.

    Args:
        proto: the model, an ``onnx.ModelProto``; left as it is.
        names: of the tensors, float32.
        threads: CPU threads.
    """

    def __init__(self, proto: Any, names: Sequence[str], threads: int) -> None:
        import onnx
        from onnx import TensorProto, helper

        tapped = onnx.ModelProto()
        tapped.CopyFrom(proto)
        have = {value.name for value in tapped.graph.output}
        tapped.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in names
            if name not in have
        )
        self._names = list(names)
        self._session = session(tapped, threads)

    def __call__(self, image: Image) -> dict[str, npt.NDArray[np.float32]]:
        """The tensors for one image, each as (places, channels)."""
        values = self._session.run(self._names, {INPUT: image[None, None]})
        return {
            name: value.reshape(-1, value.shape[-1])
            for name, value in zip(self._names, values, strict=True)
        }


def session(proto: Any, threads: int) -> Any:
    """An ONNX Runtime session of a model in memory, on the CPU."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def observe(
    run: Taps, linears: Sequence[Linear], images: Sequence[Image], step: Callable[[], None]
) -> dict[str, Statistics]:
    """Statistics of the layers' inputs, by the layers' outputs."""
    found: dict[str, Statistics] = {}
    every = math.ceil(len(images) / COVARIED)
    for index, image in enumerate(images):
        tensors = run(image)
        for linear in linears:
            values = tensors[linear.source]
            known = found.get(linear.output)
            if known is None:
                centre = values.mean(axis=0).astype(np.float64)
                low = np.full(len(centre), np.inf)
                nothing = np.zeros_like(centre)
                known = found[linear.output] = Statistics(
                    Range(low, -low, 0),
                    Range(low, -low, 0),
                    0,
                    centre,
                    nothing,
                    np.zeros((len(low), len(low))),
                )
            known.range.add(values)
            known.reach.add(values)
            if index % every == 0:
                _add_products(known, values)
        step()
    return found


def _add_products(known: Statistics, values: npt.NDArray[np.float32]) -> None:
    off = values - known.centre.astype(np.float32)
    known.count += len(off)
    known.total = known.total + off.sum(axis=0, dtype=np.float64)
    known.products += off.T @ off


def try_grids(
    run: Taps,
    graph: Graph,
    linears: Sequence[Linear],
    known: dict[str, Statistics],
    images: Sequence[Image],
    step: Callable[[], None],
) -> None:
    """Measure, on other images than the ranges come from, what each grid costs.

    The worst image counts: rare large values, cut off, spoil a whole frame.
    """
    tried = {name: grids(each.range.low, each.range.high) for name, each in known.items()}
    powers = {each.output: _powers(graph.weight(each.weight)) for each in linears}
    every = math.ceil(len(images) / TRIED)
    for index, image in enumerate(images):
        tensors = run(image)
        for linear in linears:
            values, statistics = tensors[linear.source], known[linear.output]
            statistics.reach.add(values)
            if index % every:
                continue
            power = powers[linear.output]
            errors = [float(grid.error(values) @ power) for grid in tried[linear.output]]
            before = statistics.errors or errors
            statistics.errors = [max(pair) for pair in zip(before, errors, strict=True)]
        step()


def best_grid(weight: Array, known: Statistics) -> Grid:
    """The grid with which rounding input and matrix disturbs the outputs least.

    It was found with the range of some frames on others; it is laid over the range of all.
    """
    variance = np.diag(known.covariance)

    def cost(tried: tuple[Grid, Grid, float]) -> float:
        grid, _, error = tried
        return error + GPTQ_LEAVES * weight_noise(weight, grid, variance)

    tried = grids(known.range.low, known.range.high)
    final = grids(known.reach.low, known.reach.high)
    return min(zip(tried, final, known.errors, strict=True), key=cost)[1]


def _powers(weight: Array) -> Array:
    """What a unit of error in each channel of the input adds to the outputs' squares, (K,)."""
    return np.asarray(np.square(weight).sum(axis=1))


def observe_ranges(
    run: Taps, images: Sequence[Image], step: Callable[[], None]
) -> dict[str, Range]:
    """Ranges of the tapped tensors by name."""
    found: dict[str, Range] = {}
    for image in images:
        for name, values in run(image).items():
            low = np.full(values.shape[1], np.inf)
            found.setdefault(name, Range(low, -low, 0)).add(values)
        step()
    return found


def ranged(products: Products) -> list[str]:
    """Names of the tensors of which the range is enough."""
    return list(dict.fromkeys(each.projection for each in products.scores))
