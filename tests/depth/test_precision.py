"""Half precision in exported graphs, on a small random network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, numpy_helper

from linescan.depth.card import ENCODER
from linescan.depth.export import ExportReport, export
from linescan.depth.export.emulation import computes_in_bf16, emulate_bf16
from linescan.depth.export.precision import Half, convert_encoder, store_fp16
from linescan.depth.gate import agreement
from linescan.depth.probe import probe_image
from linescan.errors import ModelError
from linescan.records import FloatArray

pytestmark = pytest.mark.slow
SIZE = (70, 84)


@pytest.fixture(scope="module")
def report(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export(checkpoint, tmp_path_factory.mktemp("fp32") / "fp32.onnx", size=SIZE)


@pytest.fixture
def proto(report: ExportReport) -> Any:
    return onnx.load(report.path)


def image() -> npt.NDArray[np.uint8]:
    return probe_image(*SIZE)


def run(proto: Any, *, optimise: bool = True) -> FloatArray:
    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return np.asarray(session.run(None, {"gray": image()[None, None]})[0])


def run_openvino(proto: Any) -> FloatArray:
    core = openvino.Core()
    model = core.compile_model(
        core.read_model(proto.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    return np.asarray(model([image()[None, None]])[0])


def in_emulation(proto: Any) -> FloatArray:
    return run(emulate_bf16(proto), optimise=False)


@pytest.mark.parametrize(
    ("half", "head", "how"),
    [
        ("fp16", False, run),
        ("fp16", True, run),
        ("bf16", False, in_emulation),
        ("bf16", False, run_openvino),
    ],
)
def test_a_converted_model_agrees_but_not_to_the_last_digit(
    proto: Any, half: Half, head: bool, how: Callable[[Any], FloatArray]
) -> None:
    expected = run(proto)
    count = convert_encoder(proto, half, head=head)
    assert count > 20
    onnx.checker.check_model(proto, full_check=True)
    off = agreement(how(proto), expected).deviation
    assert 1e-6 < off < 0.02


def test_input_output_and_features_keep_their_names_and_types(proto: Any) -> None:
    given, made = list(proto.graph.input), list(proto.graph.output)
    convert_encoder(proto, "fp16", head=True)
    assert (list(proto.graph.input), list(proto.graph.output)) == (given, made)


def test_what_is_sensitive_stays_in_fp32(proto: Any) -> None:
    convert_encoder(proto, "bf16")
    assert computes_in_bf16(proto)
    low = {t.name for t in proto.graph.initializer if t.data_type == TensorProto.BFLOAT16}
    for node in proto.graph.node:
        if node.op_type == "Cast":
            to_low = next(a.i for a in node.attribute if a.name == "to") == TensorProto.BFLOAT16
            low |= set(node.output) if to_low else set()
        elif low.intersection(node.input):
            low |= set(node.output)
    for node in proto.graph.node:
        halved = bool(low.intersection(node.output)) and node.op_type != "Cast"
        if node.op_type in ("Conv", "LayerNormalization", "Gelu", "Add", "Resize"):
            assert not halved, node.name
        if not node.name.startswith(ENCODER):
            assert not halved, node.name
        if node.op_type == "MatMul":
            assert halved, node.name


def test_weights_stored_as_fp16_are_taken_as_they_are(proto: Any) -> None:
    store_fp16(proto)
    stored = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    before = proto.ByteSize()
    convert_encoder(proto, "fp16")
    assert proto.ByteSize() < 1.05 * before, "no weight is there twice"
    kept = [n for n in proto.graph.node if n.op_type == "MatMul"]
    names = {name for node in kept for name in node.input if name in stored}
    assert len(names) >= 16
    assert all(stored[name].dtype == np.float16 for name in names)


def test_a_weight_too_large_for_fp16_is_named(proto: Any) -> None:
    names = {name for n in proto.graph.node if n.op_type == "MatMul" for name in n.input}
    tensor = next(t for t in proto.graph.initializer if t.name in names)
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0] = 1e6
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(ModelError, match=r"too large for fp16: use bf16"):
        convert_encoder(proto, "fp16")


def test_what_cannot_be_converted_is_refused(proto: Any, handmade: Path) -> None:
    with pytest.raises(ModelError, match="the head is not converted to bf16"):
        convert_encoder(proto, "bf16", head=True)
    with pytest.raises(ModelError, match="cannot be told from its head"):
        convert_encoder(onnx.load(handmade), "fp16")


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_an_export_in_half_precision_is_compared_and_says_so(
    checkpoint: Path, tmp_path: Path, precision: Half
) -> None:
    from linescan.depth import read_card

    report = export(
        checkpoint, tmp_path / "half.onnx", size=(56, 42), precision=precision, storage="fp16"
    )
    card = read_card(report.path)
    assert card.precision == precision
    assert report.precision_deviation is not None
    assert 1e-6 < report.precision_deviation <= card.verification["precision_bound"]
    assert len(card.verification["storage_checks"]) == 2
