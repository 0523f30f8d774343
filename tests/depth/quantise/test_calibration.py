"""Statistics from inside a running model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from linescan.depth.quantise.calibration import (
    COVARIED,
    Range,
    Statistics,
    Taps,
    batches,
    best_grid,
    observe,
    try_grids,
)
from linescan.depth.quantise.graph import Graph
from linescan.depth.quantise.rounding import LEVELS, grids
from tests.depth.quantise.conftest import frames

pytestmark = pytest.mark.slow


def nothing() -> None:
    pass


def test_layers_are_taken_in_groups_that_fit_in_memory(exported: Path) -> None:
    graph = Graph(onnx.load(exported))
    linears = graph.find().linears
    limit = 8 * (2 * 48**2 + 192**2)
    groups = list(batches(linears, graph, limit))
    assert [each for group in groups for each in group] == list(linears)
    assert len(groups) > 2
    for group in groups:
        assert sum(8 * graph.shape(each.weight)[0] ** 2 for each in group) <= limit
    assert all(len(group) == 1 for group in batches(linears, graph, 1))


def test_statistics_are_those_of_the_tensors(exported: Path) -> None:
    proto = onnx.load(exported)
    layer = Graph(proto).find().linears[2]
    images = frames(3)
    tapped = onnx.load(exported)
    tapped.graph.output.append(
        onnx.helper.make_tensor_value_info(layer.source, onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(tapped.SerializeToString())
    values = np.concatenate(
        [session.run([layer.source], {"gray": image[None, None]})[0][0] for image in images]
    )
    counted = 0

    def step() -> None:
        nonlocal counted
        counted += 1

    known = observe(Taps(proto, [layer.source], 1), [layer], images, step)[layer.output]
    assert counted == 3
    assert known.count == len(values)
    np.testing.assert_allclose(known.range.low, values.min(axis=0), rtol=1e-5)
    np.testing.assert_allclose(known.range.high, values.max(axis=0), rtol=1e-5)
    np.testing.assert_allclose(known.mean, values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(known.covariance, np.cov(values.T, bias=True), atol=1e-4)


def test_the_best_grid_is_judged_on_other_frames() -> None:
    """Values that reach further than those the range comes from ask for a wider grid."""
    rng = np.random.default_rng(8)
    seen = rng.uniform(-1, 1, (500, 6)).astype(np.float32)
    low, high = seen.min(axis=0).astype(float), seen.max(axis=0).astype(float)
    weight = rng.normal(size=(6, 9))

    def reach(others: npt.NDArray[np.float32]) -> float:
        power = np.square(weight).sum(axis=1)
        errors = [float(grid.error(others) @ power) for grid in grids(low, high)]
        total, products = seen.sum(axis=0, dtype=np.float64), (seen.T @ seen).astype(np.float64)
        seen_range = Range(low, high, 500)
        known = Statistics(seen_range, seen_range, 500, np.zeros(6), total, products, errors)
        grid = best_grid(weight, known)
        return float((grid.stretch * grid.step).max()) * LEVELS

    assert reach(seen) == pytest.approx(2.0, rel=0.1)
    assert reach(1.4 * seen) >= 2.8 * 0.98


def test_a_grid_is_as_good_as_on_the_worst_frame(exported: Path) -> None:
    proto = onnx.load(exported)
    graph = Graph(proto)
    layer = graph.find().linears[3]
    run = Taps(proto, [layer.source], 1)
    known = observe(run, [layer], frames(3), nothing)
    images = frames(2, seed=7)
    try_grids(run, graph, [layer], known, images, nothing)
    statistics = known[layer.output]
    tried = grids(statistics.range.low, statistics.range.high)
    assert len(statistics.errors) == len(tried)
    assert (statistics.reach.low <= statistics.range.low).all()
    assert (statistics.reach.high > statistics.range.high).any()
    power = np.square(graph.weight(layer.weight)).sum(axis=1)
    each = [tried[4].error(run(image)[layer.source]) @ power for image in images]
    assert statistics.errors[4] == pytest.approx(max(each), rel=1e-4)
    assert min(each) < 0.99 * max(each)


def test_ranges_come_from_all_frames_and_covariances_from_some(exported: Path) -> None:
    proto = onnx.load(exported)
    layer = Graph(proto).find().linears[0]
    images = [*frames(1), *frames(1) * COVARIED, *frames(1, seed=5)]
    images[1] = 255 - images[1]
    run = Taps(proto, [layer.source], 1)
    known = observe(run, [layer], images, nothing)[layer.output]
    values = [run(image)[layer.source] for image in images]
    assert known.count == len(values[0]) * (len(images) // 2)
    np.testing.assert_allclose(known.range.low, np.min(values, axis=(0, 1)), rtol=1e-5)
    assert (values[1].min(axis=0) == known.range.low).any()
