"""What is found in exported graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from linescan.depth.quantise.graph import Graph, Products
from tests.depth.onnx_files import write_model

pytestmark = pytest.mark.slow  # the first export in a process

LAYERS, WIDTH = 4, 48


def find(path: Path) -> Products:
    return Graph(onnx.load(path)).find()


def test_all_linear_layers_are_found_with_what_feeds_them(exported: Path) -> None:
    found = find(exported).linears
    assert [each.feeder for each in found] == ["norm", "values", "norm", "other"] * LAYERS
    graph = Graph(onnx.load(exported))
    shapes = [graph.shape(each.weight) for each in found]
    one = [(WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
    assert shapes == one * LAYERS
    for made, mixed in zip(found[::4], found[1::4], strict=True):
        assert mixed.projection == made.output


def test_scores_belong_to_the_layer_that_makes_queries_and_keys(exported: Path) -> None:
    found = find(exported)
    assert [each.projection for each in found.scores] == [e.output for e in found.linears[::4]]


@pytest.mark.parametrize("form", ["fused", "dynamic"])
def test_other_forms_hold_the_same_layers(
    form: str, exported: Path, request: pytest.FixtureRequest
) -> None:
    other = find(request.getfixturevalue(form))
    same = find(exported)
    assert [e.feeder for e in other.linears] == [e.feeder for e in same.linears]
    assert len(other.scores) == (0 if form == "fused" else LAYERS)


def test_weights_stored_as_fp16_are_read(exported: Path, fused: Path) -> None:
    plain, stored = Graph(onnx.load(exported)), Graph(onnx.load(fused))
    a, b = plain.find().linears[0], stored.find().linears[0]
    first, second = plain.constant(a.weight), stored.constant(b.weight)
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert not np.array_equal(first, second)


def test_a_foreign_graph_holds_nothing(tmp_path: Path) -> None:
    assert find(write_model(tmp_path / "other.onnx")) == Products((), ())
