"""The quantised graph computes the same as before, but for the rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from linescan.depth import read_card
from linescan.depth.gate import agreement
from linescan.depth.quantise.calibration import session
from linescan.depth.quantise.graph import Graph
from linescan.depth.quantise.plan import Unit, make_units
from linescan.depth.quantise.rewrite import rewrite
from linescan.errors import ModelError
from linescan.records import FloatArray
from tests.depth.onnx_files import write_model
from tests.depth.quantise.conftest import SIZE, frames

pytestmark = pytest.mark.slow

IMAGE = frames(1, seed=99)[0]


def units_of(path: Path) -> list[Unit]:
    card = read_card(path)
    return make_units(onnx.load(path), card, frames(6), frames(3, seed=1), 1, lambda _: None)


@pytest.fixture(scope="module")
def units(exported: Path) -> list[Unit]:
    return units_of(exported)


def run(proto: Any) -> FloatArray:
    onnx.checker.check_model(proto)
    return np.asarray(session(proto, 1).run(None, {"gray": IMAGE[None, None]})[0][0], np.float32)


def without_input_rounding(proto: Any) -> Any:
    """The same graph with the bytes of all inputs, but not of weights, left out."""
    skip = {}
    for node in proto.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0].endswith(".bytes"):
            maker = next((n for n in proto.graph.node if n.output[0] == node.input[0]), None)
            if maker is not None:
                skip[node.output[0]] = maker.input[0]
    assert skip
    for node in proto.graph.node:
        for i, name in enumerate(node.input):
            if name in skip:
                node.input[i] = skip[name]
    return proto


def test_nothing_chosen_leaves_the_model_as_it_was(exported: Path, units: list[Unit]) -> None:
    proto = onnx.load(exported)
    made = rewrite(proto, [])
    assert len(made.graph.node) == len(proto.graph.node)
    np.testing.assert_array_equal(run(made), run(proto))


def test_what_moves_between_queries_and_keys_changes_nothing(
    exported: Path, units: list[Unit]
) -> None:
    proto = onnx.load(exported)
    scores = [unit for unit in units if unit.scores]
    assert len(scores) == 4
    assert any(np.abs(np.log(u.scores[0].balance)).max() > 0.1 for u in scores)
    before, after = run(proto), run(without_input_rounding(rewrite(proto, scores)))
    assert np.abs(after - before).max() < 1e-4 * np.ptp(before)


@pytest.mark.parametrize("which", ["norm", "values", "other"])
def test_stretched_channels_change_nothing_but_rounding(
    which: str, exported: Path, units: list[Unit]
) -> None:
    """Without the rounding of inputs, that of the matrices alone is left."""
    proto = onnx.load(exported)
    chosen = [u for u in units if u.linears and u.linears[0].layer.feeder == which]
    plans = [unit.linears[0] for unit in chosen]
    assert any(plan.grid.stretch.std() > 0.01 for plan in plans)
    before = run(proto)
    weights_alone = agreement(run(without_input_rounding(rewrite(proto, chosen))), before)
    whole = agreement(run(rewrite(proto, chosen)), before)
    assert weights_alone.deviation < 0.03
    assert weights_alone.scale == pytest.approx(1.0, abs=0.01)
    assert 0 < whole.deviation < 0.08


def test_each_unit_alone_and_all_together_stay_close(exported: Path, units: list[Unit]) -> None:
    proto = onnx.load(exported)
    before = run(proto)
    squares = 0.0
    for unit in units:
        alone = agreement(run(rewrite(proto, [unit])), before).deviation
        assert 0 < alone < 0.12, unit.name
        squares += alone**2
    together = agreement(run(rewrite(proto, units)), before).deviation
    assert together < 0.15
    assert together < 3 * squares**0.5


def test_matrices_are_stored_as_bytes(exported: Path, units: list[Unit]) -> None:
    made = rewrite(onnx.load(exported), units)
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    graph = Graph(made)
    for node in made.graph.node:
        if node.op_type == "MatMul" and len(graph.shape(node.input[1])) == 2:
            raise AssertionError(f"{node.name} has a matrix of floats")
    stored = [name for name in kinds if name.endswith(".weight.bytes")]
    assert len(stored) == 16
    assert {kinds[name] for name in stored} == {onnx.TensorProto.INT8}
    assert len(made.SerializeToString()) < 0.7 * exported.stat().st_size


def test_the_other_forms_are_quantised_too(fused: Path, dynamic: Path) -> None:
    for path in (fused, dynamic):
        proto = onnx.load(path)
        found = units_of(path)
        before, after = run(proto), run(rewrite(proto, found))
        assert agreement(after, before).deviation < 0.15, path.name


def test_work_is_counted_in_multiplications(units: list[Unit]) -> None:
    tokens = SIZE[0] * SIZE[1] // 14**2 + 1
    assert units[0].work == tokens * 48 * 144
    scores = next(unit for unit in units if unit.scores)
    assert scores.work == tokens**2 * 48


def test_a_model_without_an_encoder_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "other.onnx", SIZE)
    with pytest.raises(ModelError, match="no linear layers found in its encoder"):
        units_of(path)
