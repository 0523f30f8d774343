"""Exports of a small random checkpoint, and what the engines make of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.utils
import onnxruntime
import openvino
import pytest
import torch
from transformers import DepthAnythingForDepthEstimation

from linescan.depth import find, open_engine, read_card
from linescan.depth.backends.base import BackendName
from linescan.depth.backends.openvino import has_bf16
from linescan.depth.export import ExportReport, export
from linescan.depth.export import fold as fold_module
from linescan.depth.export.report import MAX_ERROR, MAX_STORAGE_ERROR, Attention
from linescan.depth.gate import agreement
from linescan.depth.probe import probe_image
from linescan.depth.record import record_path
from linescan.errors import ModelError
from linescan.records import FloatArray
from tests.depth.checkpoints import GRID_PX

# The first trace in a process alone takes several seconds.
pytestmark = pytest.mark.slow

CPU_BACKENDS: tuple[BackendName, ...] = ("cpu", "openvino")


@pytest.fixture(scope="module")
def report(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """Free sides, fp16 storage, exported at the size that the position embedding is made for.

    At that size the backbone skips the embedding's interpolation: an export traced with it would
    be wrong at every other size.
    """
    out = tmp_path_factory.mktemp("network") / "network.onnx"
    return export(checkpoint, out, size=(GRID_PX, GRID_PX), dynamic=True, storage="fp16")


@pytest.fixture(scope="module")
def network(report: ExportReport) -> Path:
    return report.path


def images(count: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *size), dtype=np.uint8)


def original(checkpoint: Path, image: npt.NDArray[np.uint8]) -> FloatArray:
    """The checkpoint as its authors run it: three normalised channels."""
    model = DepthAnythingForDepthEstimation.from_pretrained(checkpoint).eval()
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = ((image if image.ndim == 3 else image[:, :, None]) / 255.0 - mean) / std
    with torch.no_grad():
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32))
        return np.asarray(model(pixel_values=tensor).predicted_depth[0].numpy(), np.float32)


def test_report_and_card_agree(report: ExportReport, checkpoint: Path) -> None:
    card = read_card(report.path)
    assert (report.sha256, report.nbytes) == (card.sha256, report.path.stat().st_size)
    assert report.name == card.name == checkpoint.name
    assert report.form.dynamic
    assert card.dynamic
    assert report.form.size == card.input_size == (GRID_PX, GRID_PX)
    assert 0 < report.max_error <= MAX_ERROR
    assert report.storage_error is not None
    assert report.max_error < report.storage_error <= MAX_STORAGE_ERROR
    assert card.verification["max_error"] == report.max_error
    assert len({check.size for check in report.proof.checks}) == 4
    assert {check.image for check in report.proof.checks} == {"random", "surface"}
    assert set(report.path.parent.iterdir()) == {report.path, record_path(report.path)}


@pytest.mark.parametrize("size", [(70, 70), (28, 42), (56, 56), (154, 98)])
def test_free_sides_are_right_at_sizes_never_seen(
    network: Path, checkpoint: Path, size: tuple[int, int]
) -> None:
    session = onnxruntime.InferenceSession(str(network))
    assert session.get_outputs()[0].shape == [1, "rows", "columns"]
    image = images(1, size)[0]
    expected = original(checkpoint, image)
    (got,) = session.run(None, {"gray": image[None, None]})
    assert got.shape == (1, *size)
    assert np.abs(got[0] - expected).max() < MAX_STORAGE_ERROR * np.ptp(expected)


def test_weights_are_stored_as_fp16_and_nothing_of_this_machine_is_in_the_file(
    report: ExportReport, checkpoint: Path
) -> None:
    fp32 = (checkpoint / "model.safetensors").stat().st_size
    assert report.nbytes < 0.75 * fp32
    proto = onnx.load(report.path)
    stored = [t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    casts = {n.input[0] for n in proto.graph.node if n.op_type == "Cast"}
    assert len(stored) > 20
    assert {t.name for t in stored} <= casts
    onnx.checker.check_model(proto)
    content = report.path.read_bytes()
    for trace in (b"site-packages", b".py", str(Path.home()).encode(), str(checkpoint).encode()):
        assert trace not in content


def test_a_static_export_holds_one_size(checkpoint: Path, model_folder: Path) -> None:
    steps: list[tuple[str, float]] = []
    report = export(
        checkpoint, size=(28, 42), name="line-3", progress=lambda *step: steps.append(step)
    )
    assert report.path == find("line-3").path == model_folder / "line-3.onnx"
    assert set(model_folder.iterdir()) == {report.path, record_path(report.path)}
    card = read_card("line-3")
    assert (card.input_size, card.dynamic) == ((28, 42), False)
    assert report.storage_error is None
    assert report.max_error < MAX_ERROR
    assert card.verification["form"]["storage"] == "fp32"
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    image = images(1, (28, 42))[0]
    expected = original(checkpoint, image)
    got = open_engine(card, "cpu").infer(image)
    assert np.abs(got - expected).max() < 1e-5 * np.ptp(expected)


def test_a_wrong_export_is_found_out_and_nothing_is_left(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = fold_module.fold
    monkeypatch.setattr(
        fold_module, "fold", lambda m, mean, _std, **options: right(m, mean, (0.25,) * 3, **options)
    )
    out = tmp_path / "old.onnx"
    out.write_bytes(b"an older export")
    with pytest.raises(ModelError, match=r"deviates from the original by"):
        export(checkpoint, out, size=(28, 28))
    assert out.read_bytes() == b"an older export"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_the_graph_holds_nothing_that_costs_time_for_nothing(
    checkpoint: Path, tmp_path: Path, attention: Attention, dynamic: bool
) -> None:
    report = export(
        checkpoint, tmp_path / "x.onnx", size=(56, 84), attention=attention, dynamic=dynamic
    )
    proto = onnx.load(report.path)
    found = Counter(node.op_type for node in proto.graph.node)
    assert not {"IsNaN", "Where", "Expand", "Range", "Div", "Identity", "Constant"} & set(found)
    assert (found["Attention"], found["Softmax"]) == ((4, 0) if attention == "fused" else (0, 4))
    assert proto.opset_import[0].version == (23 if attention == "fused" else 20)
    mul = [n.name for n in proto.graph.node if n.op_type == "Mul"]
    assert not [name for name in mul if name.startswith("encoder/")], "scales are folded"
    assert found["Resize"] == (6 if dynamic else 5), "fixed positions are a constant"
    assert all(n.name.startswith(("encoder/", "head/")) for n in proto.graph.node)


def test_the_features_part_encoder_and_head(network: Path, checkpoint: Path) -> None:
    """The two halves, run one after the other, give what the whole gives."""
    card = read_card(network)
    assert len(card.features) == 4
    whole = onnxruntime.InferenceSession(network)
    proto = onnx.load(network)
    sides = ["patch_rows", "patch_columns"]
    proto.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 48, *sides])
        for name in card.features
    )
    extractor = onnx.utils.Extractor(proto)
    image = images(1, (56, 98))[0][None, None]
    first = extractor.extract_model(["gray"], list(card.features))
    second = extractor.extract_model(list(card.features), ["depth"])
    encoder, head = (
        onnxruntime.InferenceSession(half.SerializeToString()) for half in (first, second)
    )
    maps = encoder.run(None, {"gray": image})
    assert {each.shape for each in maps} == {(1, 48, 4, 7)}
    (depth,) = head.run(None, dict(zip(card.features, maps, strict=True)))
    (expected,) = whole.run(None, {"gray": image})
    np.testing.assert_allclose(depth, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_rgb_is_the_original_on_colours(checkpoint: Path, tmp_path: Path) -> None:
    report = export(checkpoint, tmp_path / "rgb.onnx", size=(56, 42), channels=3)
    card = read_card(report.path)
    assert (card.channels, card.input_name) == (3, "rgb")
    image = np.random.default_rng(4).integers(0, 256, (56, 42, 3), dtype=np.uint8)
    expected = original(checkpoint, image)
    session = onnxruntime.InferenceSession(report.path)
    (got,) = session.run(None, {"rgb": image.transpose(2, 0, 1)[None].copy()})
    assert np.abs(got[0] - expected).max() < 1e-5 * np.ptp(expected)
    gray = original(checkpoint, image[:, :, 0])
    assert np.abs(got[0] - gray).max() > 1e-2 * np.ptp(expected), "colours count"


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_the_same_image_gives_the_same_bits(network: Path, backend: BackendName) -> None:
    engine = open_engine(network, backend)
    one, other = images(2, engine.size)
    first = engine.infer(one)
    for _ in range(3):
        engine.infer(other)
        np.testing.assert_array_equal(engine.infer(one), first)
    engine.close()


def test_openvino_fp32_is_fp32_and_bf16_is_bf16(network: Path) -> None:
    """Left alone, OpenVINO computes fp32 models in bf16: three digits instead of seven."""
    probe = probe_image(GRID_PX, GRID_PX)
    reference = open_engine(network, "cpu").infer(probe)
    exact = agreement(open_engine(network, "openvino", "fp32").infer(probe), reference).deviation
    assert exact < 1e-4
    if not has_bf16(openvino.Core()):
        with pytest.raises(ModelError, match="no bf16"):
            open_engine(network, "openvino", "bf16")
        return
    engine = open_engine(network, "openvino", "bf16", tolerance=0.2)
    assert engine.name == "openvino-bf16"
    rough = agreement(engine.infer(probe), reference).deviation
    assert 10 * exact < rough <= 0.2


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_a_dynamic_model_runs_at_the_configured_size(network: Path, backend: BackendName) -> None:
    for size in ((42, 98), (70, 70)):
        engine = open_engine(network, backend, size=size)
        assert engine.infer(probe_image(*size)).shape == size == engine.size
        engine.close()
