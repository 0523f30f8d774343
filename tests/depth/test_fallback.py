from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino
import pytest

from linescan.depth import Engine, open_engine
from linescan.depth.backends.base import LoadedModel
from linescan.depth.backends.openvino import has_bf16
from linescan.depth.fallback import FallbackEngine
from linescan.depth.gate import DeviationError, Gate, probes
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE, dark, write_coarse_model, write_unsound_model
from tests.depth.onnx_files import write_model

NO_BF16 = not has_bf16(openvino.Core())


def inner(engine: Engine) -> LoadedModel:
    assert isinstance(engine, FallbackEngine)
    return engine._engine


def bright() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(probes(SIZE)[0])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model that gives gray / 4 at 28x42."""
    return write_model(tmp_path / "plain.onnx", SIZE)


@pytest.fixture
def _bf16_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """These models are so small that either precision may win the race."""

    def race(engines: Mapping[str, Engine], *_: object) -> dict[str, list[float]]:
        return {name: [1.0 if "bf16" in name else 2.0] * 3 for name in engines}

    monkeypatch.setattr("linescan.depth.contest.race", race)


def test_an_engine_that_breaks_is_replaced_and_the_frame_is_not_lost(
    plain: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(plain, "openvino", "fp32", cache=tmp_path)
    assert (engine.name, engine.fallbacks) == ("openvino-fp32", 0)
    broken = inner(engine)
    broken.close()
    image = bright()
    np.testing.assert_array_equal(engine.infer(image), image / np.float32(4))
    assert (engine.name, engine.backend, engine.precision) == ("cpu-fp32", "cpu", "fp32")
    assert (engine.fallbacks, engine.deviation) == (1, 0.0)
    (record,) = [r for r in caplog.records if "takes over" in r.getMessage()]
    assert record.levelno == logging.WARNING
    assert "openvino-fp32 failed (openvino-fp32: the engine is closed)" in record.getMessage()
    np.testing.assert_array_equal(engine.infer(image), image / np.float32(4))
    assert engine.fallbacks == 1
    engine.close()
    engine.close()
    with pytest.raises(ModelError, match="closed"):
        engine.infer(image)


@pytest.mark.usefixtures("_bf16_wins")
def test_values_that_are_not_finite_bring_the_next_precision(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """bf16 gives NaN on a dark image where fp32 does not: fp32 of the same backend is next."""
    path = write_coarse_model(tmp_path / "coarse.onnx")
    engine = open_engine(path, "openvino", tolerance=0.2, cache=tmp_path)
    if NO_BF16:
        assert engine.name == "openvino-fp32"
        return
    assert engine.name == "openvino-bf16"
    engine.infer(bright())
    expected = dark() * np.float32(1 / 4 + 1e-4)
    np.testing.assert_allclose(engine.infer(dark()), expected, atol=1e-3)
    assert (engine.name, engine.fallbacks) == ("openvino-fp32", 1)
    assert "values that are not finite" in caplog.text
    inner(engine).close()
    np.testing.assert_allclose(engine.infer(dark()), expected, atol=1e-3)
    assert (engine.name, engine.fallbacks) == ("cpu-fp32", 2)
    inner(engine).close()
    with pytest.raises(ModelError, match="cpu-fp32: the engine is closed"):
        engine.infer(dark())
    assert engine.fallbacks == 2


def test_a_failure_that_the_reference_shares_burns_no_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_unsound_model(tmp_path / "unsound.onnx")
    engine = open_engine(path, "openvino", "fp32", cache=tmp_path)
    first = inner(engine)
    for _ in range(3):
        with pytest.raises(ModelError, match=r"not finite; the fp32 reference fails too: cpu-fp32"):
            engine.infer(dark())
    assert engine.fallbacks == 0
    assert inner(engine) is first
    assert np.isfinite(engine.infer(bright())).all()
    assert "takes over" not in caplog.text


@pytest.mark.usefixtures("_bf16_wins")
def test_a_successor_must_pass_the_gate(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(plain, "openvino", cache=tmp_path)
    assert isinstance(engine, FallbackEngine)
    assert engine._successors
    assert all(each.backend == "openvino" for each in engine._successors)
    inner(engine).close()

    def fail(*_: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr("openvino.Core", fail)
    image = bright()
    np.testing.assert_array_equal(engine.infer(image), image / np.float32(4))
    assert (engine.name, engine.fallbacks) == ("cpu-fp32", 1)
    assert "openvino-fp32 cannot take over: failed to load: no such instruction" in caplog.text
    assert engine._successors == []


@pytest.mark.usefixtures("_bf16_wins")
def test_what_was_built_for_a_successor_is_kept_even_if_it_is_refused(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It passed at the start: building it anew can take minutes, which a running line has not."""
    engine = open_engine(plain, "openvino", cache=tmp_path)
    assert isinstance(engine, FallbackEngine)
    built = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(built) > len(engine._successors) > 0
    inner(engine).close()
    image = bright()
    compared = []

    def refuse(gate: Gate, refused: LoadedModel) -> float:
        compared.extend(gate.images)
        raise DeviationError(f"{refused.name} deviates")

    monkeypatch.setattr(Gate, "check", refuse)
    engine.infer(image)
    assert (engine.name, engine.fallbacks) == ("cpu-fp32", 1)
    assert "building anew" not in caplog.text
    assert set(built) <= set(tmp_path.rglob("*"))
    assert {each.tobytes() for each in compared} >= {each.tobytes() for each in probes(SIZE)}


def test_where_the_file_has_gone_the_error_stands_and_the_engine_stays(
    plain: Path, tmp_path: Path
) -> None:
    engine = open_engine(plain, "openvino", "fp32", cache=tmp_path)
    content = plain.read_bytes()
    for wrong in (content[: len(content) // 2], b"not a model at all"):
        plain.write_bytes(wrong)
        inner(engine).close()
        with pytest.raises(
            ModelError, match=r"closed; the fp32 reference fails too: .*plain\.onnx"
        ):
            engine.infer(bright())
        assert (engine.name, engine.fallbacks) == ("openvino-fp32", 0)
    plain.write_bytes(content)
    engine.infer(bright())
    assert (engine.name, engine.fallbacks) == ("cpu-fp32", 1)


def test_another_model_in_its_place_does_not_take_over(plain: Path, tmp_path: Path) -> None:
    engine = open_engine(plain, "openvino", "fp32", cache=tmp_path)
    write_model(plain, SIZE, divide_by=5.0)
    inner(engine).close()
    with pytest.raises(ModelError, match="changed since it was read: restart with the new one"):
        engine.infer(bright())
    assert (engine.name, engine.fallbacks) == ("openvino-fp32", 0)
    write_model(plain, SIZE)
    np.testing.assert_array_equal(engine.infer(bright()), bright() / np.float32(4))
    assert engine.name == "cpu-fp32"


def test_a_wrong_image_is_no_reason_to_fall_back(plain: Path, tmp_path: Path) -> None:
    engine = open_engine(plain, "openvino", "fp32", cache=tmp_path)
    with pytest.raises(ModelError, match="takes 28x42 uint8 images"):
        engine.infer(np.zeros((42, 28), np.uint8))
    assert (engine.name, engine.fallbacks) == ("openvino-fp32", 0)


OUT_OF_MEMORY = """
import json, resource, sys
from linescan.depth import open_engine
from linescan.depth.gate import probes
from linescan.errors import ModelError

engine = open_engine(sys.argv[1], "openvino", "fp32", size=(1400, 1400))
image = probes(engine.image_shape)[0]
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
kept, said = [], ""
while not said:
    try:
        kept.append(engine.infer(image))
    except ModelError as error:
        said = str(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.clear()
same = bool((engine.infer(image) == image / 4).all())
print(json.dumps({"said": said, "same": same, "name": engine.name}))
"""


def test_out_of_memory_is_an_error_that_passes(handmade: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, str(handmade)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert "openvino-fp32: inference failed: out of memory" in found["said"]
    assert "the fp32 reference fails too" in found["said"]
    assert found["same"]
    assert found["name"] == "openvino-fp32"
