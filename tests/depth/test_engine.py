from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import openvino
import pytest

from linescan.depth import Engine, open_engine, read_card
from linescan.depth.backends.base import BackendName, cores
from linescan.depth.backends.ort import BoundSession, open_session, session_options
from linescan.depth.engine import deviation
from linescan.errors import ModelError
from tests.depth.onnx_files import write_model

CPU_BACKENDS: tuple[BackendName, ...] = ("cpu", "openvino")


def images(count: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *size), dtype=np.uint8)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_engine_computes_the_model(handmade: Path, backend: BackendName) -> None:
    engine = open_engine(handmade, backend)
    assert (engine.name, engine.backend, engine.precision) == (f"{backend}-fp32", backend, "fp32")
    assert engine.size == (28, 42)
    first, second = images(2, engine.size)
    kept = engine.infer(first)
    np.testing.assert_array_equal(engine.infer(second), second / np.float32(4))
    np.testing.assert_array_equal(kept, first / np.float32(4))  # not overwritten by the next run
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous
    assert kept.flags.writeable
    engine.close()


def test_a_static_model_runs_at_its_own_size_only(tmp_path: Path) -> None:
    path = write_model(tmp_path / "static.onnx", (28, 42))
    assert open_engine(path, "cpu").size == (28, 42)
    with pytest.raises(ModelError, match="exported for 28x42 only"):
        open_engine(path, "cpu", size=(42, 28))


def test_wrong_images_are_refused(handmade: Path) -> None:
    engine = open_engine(handmade, "cpu")
    with pytest.raises(ModelError, match="takes 28x42 uint8 images, got 42x28 uint8"):
        engine.infer(np.zeros((42, 28), np.uint8))
    with pytest.raises(ModelError, match="got 28x42 uint16"):
        engine.infer(np.zeros((28, 42), np.uint16))


def test_a_closed_engine_says_so(handmade: Path) -> None:
    for backend in CPU_BACKENDS:
        engine = open_engine(handmade, backend)
        engine.close()
        engine.close()
        with pytest.raises(ModelError, match="closed"):
            engine.infer(np.zeros(engine.size, np.uint8))


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_values_that_are_not_finite_are_refused(tmp_path: Path, backend: BackendName) -> None:
    path = write_model(tmp_path / "broken.onnx", divide_by=0.0)
    with pytest.raises(ModelError, match="not finite") as error:
        open_engine(path, backend)
    assert backend in str(error.value)


def test_auto_takes_what_loads_and_names_what_did_not(
    handmade: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "linescan.depth.engine"):
        engine = open_engine(handmade)
    said = [r for r in caplog.records if "does not load" in r.getMessage()]
    if engine.backend == "cuda":
        assert not said
    else:
        assert engine.backend == "openvino"
        (record,) = said
        assert record.getMessage().startswith("depth backend cuda does not load: ")
        installed = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        assert record.levelno == (logging.WARNING if installed else logging.INFO)
    assert any(f"runs on {engine.name}" in r.getMessage() for r in caplog.records)


def test_a_backend_that_fails_although_it_is_installed_is_warned_of(
    handmade: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("openvino.Core", fail)
    engine = open_engine(handmade)
    assert engine.backend != "openvino"
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("openvino does not load" in text and "instruction" in text for text in warned)


def test_auto_in_bf16_never_falls_back_to_another_precision(handmade: Path) -> None:
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert open_engine(handmade, precision="bf16").name == "openvino-bf16"
        return
    with pytest.raises(ModelError, match=r"cuda: .*openvino: .*no bf16.*cpu: .*fp32 only"):
        open_engine(handmade, precision="bf16")


def test_a_named_backend_is_never_replaced(handmade: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="backend cpu runs fp32 only"):
        open_engine(handmade, "cpu", "bf16")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"cannot load .* cuda: .*built without CUDA"):
        open_engine(handmade, "cuda")


@pytest.mark.filterwarnings(
    "ignore:Specified provider 'TensorrtExecutionProvider' is not in available"
)
def test_a_provider_that_is_listed_but_does_not_load_is_found_out(handmade: Path) -> None:
    card = read_card(handmade)
    wanted = "TensorrtExecutionProvider"
    with pytest.raises(ModelError, match="did not load"):
        open_session(card, session_options((28, 42), 1), [wanted, "CPUExecutionProvider"], wanted)


def test_unknown_words_are_refused(handmade: Path) -> None:
    with pytest.raises(ModelError, match="expected auto, cuda, openvino, cpu"):
        open_engine(handmade, "tpu")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="expected fp32 or bf16"):
        open_engine(handmade, "cpu", "fp8")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="threads 0"):
        open_engine(handmade, "cpu", threads=0)


def test_never_more_threads_than_cores(handmade: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine(handmade, "cpu", threads=cores() + 5)
    assert engine.device == f"CPU, {cores()} threads"
    assert f"using {cores()}" in caplog.text
    assert open_engine(handmade, "cpu", threads=1).device == "CPU, 1 threads"


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_threads_that_share_an_engine_get_their_own_results(
    handmade: Path, backend: BackendName
) -> None:
    engine = open_engine(handmade, backend, threads=1)
    given = images(64, engine.size)
    with ThreadPoolExecutor(4) as pool:
        for image, output in zip(given, pool.map(engine.infer, given), strict=True):
            np.testing.assert_array_equal(output, image / np.float32(4))


def test_the_cuda_engine_uses_the_buffers_that_the_cpu_engine_is_tested_with(
    handmade: Path,
) -> None:
    from linescan.depth.backends.onnxruntime_cuda import CudaEngine

    engine: Engine = open_engine(handmade, "cpu")
    assert isinstance(engine, BoundSession)
    assert issubclass(CudaEngine, BoundSession)
    assert CudaEngine._run is type(engine)._run


def test_deviation_is_in_standard_deviations() -> None:
    reference = np.array([[0.0, 2.0]], np.float32)
    assert deviation(reference + np.float32(0.5), reference) == pytest.approx(0.5)
    assert deviation(reference, reference) == 0.0
    constant = np.zeros((1, 2), np.float32)
    assert deviation(constant, constant) == 0.0
    assert deviation(constant + np.float32(1), constant) == float("inf")
