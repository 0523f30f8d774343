from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest

from linescan.depth import open_engine, read_card
from linescan.depth.backends.base import BackendName, cores
from linescan.depth.engine import candidates
from linescan.depth.fallback import FallbackEngine
from linescan.depth.gate import probes
from linescan.errors import ModelError
from tests.depth.onnx_files import METADATA, write_model


@pytest.mark.parametrize("backend", ["cpu", "openvino"])
def test_an_engine_by_name(handmade: Path, tmp_path: Path, backend: BackendName) -> None:
    engine = open_engine(handmade, backend, "fp32", cache=tmp_path)
    assert (engine.name, engine.backend, engine.precision) == (f"{backend}-fp32", backend, "fp32")
    assert engine.size == engine.image_shape == (28, 42)
    assert engine.deviation == pytest.approx(0.0, abs=1e-6)
    assert engine.fallbacks == 0
    (image,) = probes(engine.image_shape)[:1]
    np.testing.assert_array_equal(engine.infer(image), image / np.float32(4))


def test_a_static_model_runs_at_its_own_size_only(tmp_path: Path) -> None:
    path = write_model(tmp_path / "static.onnx", (28, 42))
    assert open_engine(path, "cpu").size == (28, 42)
    with pytest.raises(ModelError, match="exported for 28x42 only"):
        open_engine(path, "cpu", size=(42, 28))


def test_a_dynamic_model_runs_at_the_configured_size(handmade: Path) -> None:
    for size in ((42, 98), (70, 70)):
        engine = open_engine(handmade, "openvino", size=size)
        assert engine.infer(probes(size)[0]).shape == size == engine.size


def test_a_named_backend_is_never_replaced_at_start(
    handmade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="cpu does not run 'handmade' in bf16: it offers fp32"):
        open_engine(handmade, "cpu", "bf16", cache=tmp_path)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    for backend in ("cuda", "tensorrt"):
        with pytest.raises(ModelError, match=rf"cannot load .*: {backend}: .*built without"):
            open_engine(handmade, backend, cache=tmp_path)


def test_without_a_bound_an_engine_is_measured_and_never_replaced(handmade: Path) -> None:
    engine = open_engine(handmade, "openvino", "fp32", tolerance=math.inf)
    assert not isinstance(engine, FallbackEngine)
    assert engine.deviation == pytest.approx(0.0, abs=1e-6)
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.infer(probes((28, 42))[0])


def test_the_reference_needs_no_successor(handmade: Path) -> None:
    assert not isinstance(open_engine(handmade, "cpu"), FallbackEngine)


def test_a_model_that_is_broken_on_the_reference_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "broken.onnx", divide_by=0.0)
    for tolerance in (0.02, math.inf):
        with pytest.raises(ModelError, match=r"cpu-fp32: model 'handmade' gave .* not finite"):
            open_engine(path, tolerance=tolerance)


def test_unknown_words_are_refused(handmade: Path) -> None:
    with pytest.raises(ModelError, match="expected auto, tensorrt, cuda, openvino, cpu"):
        open_engine(handmade, "tpu")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="expected auto, fp32, fp16, bf16, bf16_mixed"):
        open_engine(handmade, "cpu", "fp8")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="threads 0"):
        open_engine(handmade, "cpu", threads=0)


def test_never_more_threads_than_cores(handmade: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine(handmade, "cpu", threads=cores() + 5)
    assert engine.device == f"CPU, {cores()} threads"
    assert f"using {cores()}" in caplog.text
    assert open_engine(handmade, "cpu", threads=1).device == "CPU, 1 threads"


@pytest.mark.parametrize(
    ("precision", "features", "names"),
    [
        (
            "fp32",
            "[]",
            "tensorrt-fp16 tensorrt-bf16 tensorrt-fp32 cuda-fp16 cuda-bf16_mixed cuda-fp32 "
            "openvino-bf16 openvino-fp32 cpu-fp32",
        ),
        (
            "fp32",
            '["a"]',
            "tensorrt-fp16 tensorrt-bf16 tensorrt-fp32 cuda-fp16 cuda-bf16_mixed cuda-fp32 "
            "openvino-bf16 openvino-bf16_mixed openvino-fp32 cpu-fp32",
        ),
        ("fp16", "[]", "tensorrt-fp16 cuda-fp16 openvino-bf16 openvino-fp32 cpu-fp32"),
        ("int8", "[]", "openvino-bf16 openvino-fp32 cpu-fp32"),
    ],
)
def test_candidates_follow_from_the_card(
    tmp_path: Path, precision: str, features: str, names: str
) -> None:
    metadata = {**METADATA, "precision": precision, "features": features}
    card = read_card(write_model(tmp_path / "m.onnx", metadata=metadata))
    assert [each.name for each in candidates(card)] == names.split()


@pytest.mark.parametrize(("flag", "saturates"), [("avx_vnni", False), ("avx2", True)])
def test_a_quantised_file_is_warned_of(
    flag: str,
    saturates: bool,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("linescan.depth.engine.cpu_flags", lambda: frozenset({flag}))
    metadata = {**METADATA, "precision": "int8"}
    open_engine(write_model(tmp_path / "q.onnx", metadata=metadata), cache=tmp_path)
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert sum("is quantised to int8" in each for each in warned) == 1
    assert sum("sums may saturate" in each for each in warned) == saturates
