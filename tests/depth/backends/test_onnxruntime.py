"""The GPU backends as far as they go without a GPU, and what ONNX Runtime says of providers."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from linescan.depth import open_engine, read_card
from linescan.depth.backends.base import BackendError, BackendMissingError, BackendName, Setup
from linescan.depth.backends.cuda_memory import CudaError, CudaRuntime, Pinned
from linescan.depth.backends.onnxruntime_cuda import converted
from linescan.depth.backends.onnxruntime_tensorrt import tensorrt_options
from linescan.depth.backends.ort import HostSession, open_session, session_options
from linescan.depth.backends.ort_gpu import CUDA, explained, require_provider
from linescan.depth.candidates import REFERENCE, Candidate, load
from linescan.depth.export.precision import convert_encoder
from linescan.depth.gate import Gate
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE

SETUP = Setup(SIZE, 1)
NO_GPU = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()


@pytest.mark.filterwarnings(
    "ignore:Specified provider 'TensorrtExecutionProvider' is not in available"
)
def test_a_provider_that_is_listed_but_does_not_load_is_found_out(handmade: Path) -> None:
    wanted = [("TensorrtExecutionProvider", tensorrt_options("fp16", SETUP))]
    with pytest.raises(ModelError, match=r"did not load|cannot load"):
        open_session(read_card(handmade), session_options(SETUP), wanted)


def test_a_backend_that_is_not_installed_says_what_to_do(handmade: Path) -> None:
    card = read_card(handmade)
    if not NO_GPU:
        assert require_provider(CUDA) is not None
        return
    for backend in ("cuda", "tensorrt"):
        with pytest.raises(BackendMissingError, match="install the extra gpu in place of cpu"):
            load(Candidate(backend, "fp32"), card, SETUP)


def test_what_the_loader_said_is_added_to_the_error() -> None:
    with (
        pytest.raises(BackendError, match=r"^did not load: no libcublas$"),
        explained("no libcublas"),
    ):
        raise BackendError("did not load")
    with pytest.raises(ModelError, match=r"^broken$"), explained(""):
        raise ModelError("broken")


def test_tensorrt_keeps_what_it_builds_only_where_it_may(tmp_path: Path) -> None:
    kept = tensorrt_options("bf16", Setup(SIZE, 1, tmp_path))
    assert kept["trt_engine_cache_path"] == kept["trt_timing_cache_path"] == str(tmp_path)
    assert (kept["trt_bf16_enable"], kept["trt_fp16_enable"]) == ("True", "False")
    assert not any("cache" in key for key in tensorrt_options("fp16", SETUP))


def test_a_model_converted_to_fp16_is_still_that_model() -> None:
    """Half precision for CUDA is another graph; ONNX Runtime runs it on the CPU as well."""
    card, setup = read_card("surface-tiny"), Setup((70, 70), 1)
    gate = Gate(load(REFERENCE, card, setup), 0.03)

    class Converted(HostSession):
        backend: BackendName = "cpu"

    engine = Converted(card, "fp16", setup, "CPU")
    providers = ["CPUExecutionProvider"]
    model = converted(card, "fp16")
    engine.bind(open_session(card, session_options(setup), providers, model))
    gate.check(engine)
    assert engine.deviation is not None
    assert engine.deviation > 1e-5
    assert len(converted(card, "bf16_mixed")) == pytest.approx(len(model), rel=0.1)


def test_without_cuda_memory_is_not_pinned() -> None:
    if not NO_GPU:
        runtime, array = CudaRuntime(), np.zeros(5000, np.uint8)
        runtime.pin(array)
        runtime.unpin(array)
        return
    with pytest.raises(CudaError, match=r"not found|CUDA error"):
        CudaRuntime().pin(np.zeros(8, np.uint8))


class Pages(CudaRuntime):
    """Counts locked arrays as the CUDA runtime would, and refuses a third."""

    def __init__(self) -> None:
        self.locked: list[int] = []

    def pin(self, array: npt.NDArray[Any]) -> None:
        if len(self.locked) == 2:
            raise CudaError("CUDA error 2: out of memory")
        self.locked.append(array.ctypes.data)

    def unpin(self, array: npt.NDArray[Any]) -> None:
        self.locked.remove(array.ctypes.data)


def test_where_one_array_cannot_be_locked_none_stays_locked() -> None:
    arrays = [np.zeros(64, np.uint8) for _ in range(3)]
    runtime = Pages()
    with pytest.raises(CudaError, match="out of memory"):
        Pinned(runtime, arrays)
    assert runtime.locked == []
    pinned = Pinned(runtime, arrays[:2])
    assert len(runtime.locked) == 2
    pinned.release()
    pinned.release()
    assert runtime.locked == []


def test_a_bf16_file_opens_and_its_reference_is_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = read_card("surface-tiny")
    proto = onnx.load(str(original.path))
    convert_encoder(proto, "bf16")
    (precision,) = [p for p in proto.metadata_props if p.key == "linescan.precision"]
    precision.value = "bf16"
    path = tmp_path / "half.onnx"
    onnx.save(proto, str(path))
    card, setup = read_card(path), Setup((70, 70), 1)
    assert card.precision == "bf16"
    reference = load(REFERENCE, card, setup)
    gate = Gate(load(REFERENCE, original, setup), 0.03)
    gate.check(reference)
    assert reference.deviation is not None
    assert reference.deviation > 1e-4, "it computes in bf16"
    caplog.set_level(logging.INFO, "linescan.depth")
    engine = open_engine(path, "openvino", size=(70, 70), threads=1, cache=tmp_path / "cache")
    assert engine.backend == "openvino"
    assert engine.deviation is not None
    assert engine.deviation <= 0.02
    engine.close()
    assert "computes in bf16: the reference that engines are compared with is this file" in (
        caplog.text
    )
    monkeypatch.setitem(sys.modules, "linescan.depth.export.emulation", None)
    with pytest.raises(ModelError, match=r"half\.onnx: computes in bf16, .*pip install onnx"):
        load(REFERENCE, card, setup)
