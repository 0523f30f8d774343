from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest

from linescan.depth import Engine, open_engine
from linescan.depth import choice as choice_module
from linescan.depth import contest as contest_module
from linescan.depth.backends import openvino as openvino_module
from linescan.depth.backends.base import (
    BackendError,
    BackendMissingError,
    PrecisionMissingError,
)
from linescan.depth.gate import probes
from linescan.depth.machine import devices, versions
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE, write_coarse_model
from tests.depth.onnx_files import write_model

NO_BF16 = not openvino_module.has_bf16(openvino.Core())


def entries(folder: Path) -> list[Path]:
    return sorted((folder / "choices").glob("*.json"))


def races(caplog: pytest.LogCaptureFixture) -> int:
    """How often the engines were compared: a remembered choice says so."""
    lines = [r.getMessage() for r in caplog.records if " runs on " in r.getMessage()]
    return sum("as measured before" not in line for line in lines)


def fail_to_load(error: Exception) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.fixture(autouse=True)
def _all_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "linescan.depth")


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """These models are so small that either engine may win: take what comes."""
    monkeypatch.setattr(contest_module, "settled", lambda _: True)


@pytest.mark.usefixtures("_settled")
def test_the_choice_is_told_in_one_line_and_remembered(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(handmade, cache=tmp_path)
    (line,) = [r.getMessage() for r in caplog.records if " runs on " in r.getMessage()]
    assert line.startswith(f"depth model 'handmade' 28x42 runs on {engine.name} (")
    for part in ("sigma off the fp32 reference", "openvino-", "cpu-fp32 ", " ms", "not tensorrt: "):
        assert part in line
    (entry,) = entries(tmp_path)
    kept = json.loads(entry.read_text())
    assert kept["choice"]["ranked"][0] == engine.name
    assert set(kept["choice"]["ms"]) == set(kept["choice"]["ranked"])
    assert kept["choice"]["ms"][engine.name] == min(kept["choice"]["ms"].values())
    assert kept["key"]["devices"] == devices()
    assert kept["key"]["versions"] == versions()
    again = open_engine(handmade, cache=tmp_path)
    assert again.name == engine.name
    assert races(caplog) == 1


def test_a_choice_holds_for_its_model_size_threads_request_and_tolerance(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_model(tmp_path / "other.onnx", divide_by=5.0)
    cache = tmp_path / "cache"
    open_engine(handmade, "cpu", cache=cache)
    open_engine(other, "cpu", cache=cache)
    open_engine(handmade, "cpu", size=(42, 42), cache=cache)
    open_engine(handmade, "cpu", threads=1, cache=cache)
    open_engine(handmade, "openvino", "fp32", cache=cache)
    open_engine(handmade, "cpu", tolerance=0.5, cache=cache)
    assert len(entries(cache)) == races(caplog) == 6
    open_engine(handmade, "cpu", tolerance=0.5, cache=cache)
    assert len(entries(cache)) == races(caplog) == 6


def test_a_race_that_settles_nothing_is_run_again(
    handmade: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = {"openvino-fp32": [1.0, 3.0, 1.2], "cpu-fp32": [2.0, 1.1, 2.9]}
    monkeypatch.setattr(contest_module, "race", lambda *_: busy)
    for _ in range(2):
        open_engine(handmade, precision="fp32", cache=tmp_path)
    assert entries(tmp_path) == []
    assert races(caplog) == 2
    assert "too close to remember" in caplog.text


def test_other_versions_make_another_choice(
    handmade: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_engine(handmade, "cpu", cache=tmp_path)
    monkeypatch.setattr(choice_module, "versions", lambda: {**versions(), "openvino": "1.0"})
    open_engine(handmade, "cpu", cache=tmp_path)
    monkeypatch.setattr(choice_module, "devices", lambda: {"cpu": "another"})
    open_engine(handmade, "cpu", cache=tmp_path)
    assert len(entries(tmp_path)) == races(caplog) == 3


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        '{"ranked": ["tpu-fp8"], "ms": {}, "refused": {}, "untried": []}',
        '{"ranked": [], "ms": {}, "refused": {}, "untried": []}',
        '{"ranked": ["cpu-fp32"], "ms": [], "refused": {}, "untried": []}',
        '{"ranked": "cpu-fp32"}',
    ],
)
def test_a_broken_memory_is_made_anew(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    open_engine(handmade, "cpu", cache=tmp_path)
    (entry,) = entries(tmp_path)
    right = entry.read_text()
    content = json.loads(right)
    entry.write_text(
        broken if broken == "{" else json.dumps({**content, "choice": json.loads(broken)})
    )
    assert open_engine(handmade, "cpu", cache=tmp_path).name == "cpu-fp32"
    assert races(caplog) == 2
    assert json.loads(entry.read_text())["choice"]["ranked"] == ["cpu-fp32"]


def test_a_cache_that_cannot_be_written_stops_nothing(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    engine = open_engine(handmade, "openvino", "fp32", cache=file)
    assert np.isfinite(engine.infer(probes(SIZE)[0])).all()
    assert "the choice of engine is not remembered" in caplog.text
    assert "built engines are not kept" in caplog.text


@pytest.mark.usefixtures("_settled")
def test_a_remembered_engine_that_fails_is_chosen_again(
    handmade: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_engine(handmade, cache=tmp_path)
    (entry,) = entries(tmp_path)
    content = json.loads(entry.read_text())
    content["choice"]["ranked"] = ["openvino-fp32", "cpu-fp32"]
    content["choice"]["untried"] = []
    entry.write_text(json.dumps(content))
    assert open_engine(handmade, cache=tmp_path).name == "openvino-fp32"

    def fail(*_: object) -> None:
        raise RuntimeError("no such instruction")

    with monkeypatch.context() as patch:
        patch.setattr("openvino.Core", fail)
        assert open_engine(handmade, cache=tmp_path).name == "cpu-fp32"
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any("remembered depth engine openvino-fp32 fails" in text for text in warned)
    # A fault may be gone at the next start: what came of it is not remembered.
    assert open_engine(handmade, cache=tmp_path).name == "openvino-fp32"


def test_a_built_engine_that_computes_something_else_is_built_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    path = write_model(tmp_path / "a.onnx", SIZE)
    open_engine(path, "openvino", "fp32", cache=cache)
    (blob,) = cache.glob("engines/*/*.blob")
    other = write_model(tmp_path / "b.onnx", SIZE, divide_by=-4.0)
    open_engine(other, "openvino", "fp32", cache=tmp_path / "other")
    (wrong,) = (tmp_path / "other").glob("engines/*/*.blob")
    blob.chmod(0o600)
    blob.write_bytes(wrong.read_bytes())
    engine = open_engine(path, "openvino", "fp32", cache=cache)
    image = probes(SIZE)[0]
    np.testing.assert_array_equal(engine.infer(image), image / np.float32(4))
    assert "openvino-fp32 fails as it was built before: building anew" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        BackendError("the driver does not answer"),
        BackendMissingError("not installed"),
        PrecisionMissingError("not on this device"),
        MemoryError("bad_alloc"),
        RuntimeError("[ONNXRuntimeError] CUDA failure 100: no CUDA-capable device is detected ; x"),
    ],
)
def test_a_failure_that_has_nothing_to_do_with_what_was_built_leaves_it(
    handmade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    open_engine(handmade, "openvino", "fp32", cache=tmp_path)
    (blob,) = tmp_path.glob("engines/*/*.blob")
    before = blob.stat()
    with monkeypatch.context() as patch:
        patch.setattr("linescan.depth.backends.openvino._core", fail_to_load(error))
        with pytest.raises(ModelError, match="cannot load depth model"):
            open_engine(handmade, "openvino", "fp32", cache=tmp_path)
    open_engine(handmade, "openvino", "fp32", cache=tmp_path)
    after = blob.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_was_built_and_cannot_be_read_is_built_anew(
    handmade: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    open_engine(handmade, "openvino", "fp32", cache=tmp_path)
    (folder,) = tmp_path.glob("engines/*")
    real = openvino_module._core

    def core() -> object:
        if any(folder.glob("*.blob")):
            raise RuntimeError("the blob is damaged")
        return real()

    monkeypatch.setattr("linescan.depth.backends.openvino._core", core)
    assert open_engine(handmade, "openvino", "fp32", cache=tmp_path).name == "openvino-fp32"
    assert "building anew: failed to load: the blob is damaged" in caplog.text


@pytest.mark.skipif(NO_BF16, reason="nothing that is too coarse without bf16")
def test_a_precision_that_never_passed_is_not_built_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_coarse_model(tmp_path / "coarse.onnx")
    blobs = []
    for _ in range(2):
        with pytest.raises(ModelError, match="openvino-bf16 deviates"):
            open_engine(path, "openvino", "bf16", tolerance=1e-6, cache=tmp_path)
        blobs.append(
            {(b.name, b.stat().st_ino, b.stat().st_mtime_ns) for b in tmp_path.glob("engines/*/*")}
        )
    assert blobs[0] == blobs[1] != set()
    assert "building anew" not in caplog.text


@pytest.mark.skipif(NO_BF16, reason="nothing that is too coarse without bf16")
def test_a_tolerance_that_was_tightened_builds_nothing_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_coarse_model(tmp_path / "coarse.onnx")
    open_engine(path, "openvino", "bf16", tolerance=0.9, cache=tmp_path)
    (mark,) = tmp_path.glob("engines/*/passed.json")
    assert 1e-6 < json.loads(mark.read_text())["deviation"] < 0.9
    with pytest.raises(ModelError, match="openvino-bf16 deviates"):
        open_engine(path, "openvino", "bf16", tolerance=1e-6, cache=tmp_path)
    assert "building anew" not in caplog.text
    assert mark.exists()


def test_precision_that_is_too_coarse_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_coarse_model(tmp_path / "coarse.onnx")
    engine = open_engine(path, "openvino", tolerance=1e-6, cache=tmp_path)
    assert engine.name == "openvino-fp32"
    assert len(entries(tmp_path)) == 1
    if not NO_BF16:
        refused = [r for r in caplog.records if "openvino-bf16 is not used" in r.getMessage()]
        assert [r.levelno for r in refused] == [logging.INFO]
        assert "standard deviations, more than 1e-06" in refused[0].getMessage()
        with pytest.raises(ModelError, match="openvino-bf16 deviates"):
            open_engine(path, "openvino", "bf16", tolerance=1e-6, cache=tmp_path)


def test_what_is_not_installed_is_told_once_a_backend_and_not_warned_of(
    handmade: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "linescan.depth")
    engine: Engine = open_engine(handmade, cache=tmp_path)
    said = [r for r in caplog.records if "depth engine cuda" in r.getMessage()]
    if engine.backend in ("tensorrt", "cuda"):
        return
    assert [r.getMessage().split(":")[0] for r in said] == ["depth engine cuda is not used"]
    installed = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert said[0].levelno == (logging.WARNING if installed else logging.DEBUG)
