from __future__ import annotations

import logging
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linescan.depth import open_engine, read_card
from linescan.depth.backends.base import Setup
from linescan.depth.candidates import REFERENCE, Candidate, load
from linescan.depth.gate import Agreement, DeviationError, Gate, agreement, probes, require
from linescan.errors import ModelError
from tests.depth.failing_models import SIZE, write_coarse_model, write_constant_model
from tests.depth.onnx_files import write_model


@given(
    scale=st.floats(0.01, 100.0) | st.floats(-100.0, -0.01),
    shift=st.floats(-50.0, 50.0),
    off=st.floats(0.0, 0.5),
)
def test_agreement_finds_scale_shift_and_what_is_left(
    scale: float, shift: float, off: float
) -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(2.0, 3.0, (40, 50))
    noise = rng.normal(0.0, 1.0, reference.shape)
    # Noise without the part that scale and shift could explain, of the reference's spread.
    basis = np.stack([np.ones(reference.size), reference.ravel()])
    fitted = np.linalg.lstsq(basis.T, noise.ravel(), rcond=None)[0] @ basis
    noise = (noise.ravel() - fitted).reshape(reference.shape)
    noise *= off * reference.std() / noise.std()
    output = ((reference + noise - shift) / scale).astype(np.float32)
    found = agreement(output, reference.astype(np.float32))
    # sqrt(1 - r^2) for the correlation r = 1 / sqrt(1 + off^2)
    assert found.deviation == pytest.approx(off / math.sqrt(1 + off**2), abs=2e-4)
    assert found.scale == pytest.approx(scale / (1 + off**2), rel=1e-3)
    bias = (output.mean() - reference.mean()) / reference.std()
    assert found.bias == pytest.approx(bias, rel=1e-3, abs=1e-5)


def test_agreement_of_a_constant_output_is_none() -> None:
    reference = np.array([[0.0, 2.0]], np.float32)
    assert agreement(np.full((1, 2), 7.0, np.float32), reference) == Agreement(1.0, 0.0, 6.0)


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (Agreement(0.03, 1.0, 0.0), "deviates from the fp32 reference by 0.03"),
        (Agreement(0.0, -1.0, 0.0), "scaled by -1"),
        (Agreement(0.0, 0.5, 0.0), "scaled by 0.5"),
        (Agreement(1.0, 0.0, 0.0), "deviates"),
        (Agreement(0.0, 0.97, 0.0), "scaled by 0.97 .*more than 0.02 off 1"),
        (Agreement(0.0, 1.0, -0.03), "is -0.03 standard deviations off .*more than 0.02"),
        (Agreement(math.nan, 1.0, 0.0), "deviates"),
    ],
)
def test_what_is_too_far_off_is_refused(found: Agreement, what: str) -> None:
    with pytest.raises(DeviationError, match=f"some-engine .*{what}"):
        require(found, 0.02, "some-engine")
    require(found, math.inf, "some-engine")
    require(Agreement(0.019, 1.019, -0.019), 0.02, "some-engine")


def test_depth_of_another_scale_and_level_is_refused() -> None:
    reference = np.random.default_rng(2).normal(1.0, 0.5, (30, 40)).astype(np.float32)
    require(agreement(reference.copy(), reference), 0.02, "same")
    with pytest.raises(DeviationError, match=r"scaled by 1\.09"):
        require(agreement(reference / np.float32(1.09), reference), 0.02, "smaller")
    with pytest.raises(DeviationError, match=r"is \+50 standard deviations off"):
        require(agreement(reference + 50 * reference.std(), reference), 0.02, "higher")


def test_depth_too_large_to_compare_is_a_model_error() -> None:
    endless = np.broadcast_to(np.float32(1.0), (1 << 50,))
    with pytest.raises(ModelError, match="out of memory: 1125899906842624 depth values"):
        agreement(endless, endless)


@pytest.mark.parametrize("shape", [(28, 42), (56, 42, 3)])
def test_probes_have_structure_and_are_always_the_same(shape: tuple[int, ...]) -> None:
    first, second = probes(shape), probes(shape)
    assert len(first) == 3
    for image, again in zip(first, second, strict=True):
        assert image.shape == shape
        assert image.dtype == np.uint8
        assert image.std() > 8
        np.testing.assert_array_equal(image, again)
    assert len({image.tobytes() for image in first}) == 3


def test_probes_of_large_frames_need_little_beside_themselves() -> None:
    shape = (2048, 4099)
    tracemalloc.start()
    try:
        images = probes(shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [image.shape for image in images] == [shape] * 3
    assert min(image.std() for image in images) > 8
    assert peak < 192 << 20, "eight planes of float64 alone would be 537 MB"


def test_the_gate_measures_and_refuses(tmp_path: Path) -> None:
    card = read_card(write_coarse_model(tmp_path / "coarse.onnx"))
    setup = Setup(SIZE, 1)
    reference = load(REFERENCE, card, setup)
    engine = load(Candidate("openvino", "fp32"), card, setup)
    gate = Gate(reference, 1e-3)
    assert gate.check(engine) > 0.0
    assert engine.deviation is not None
    assert engine.deviation < 1e-4
    plain, other = (
        read_card(write_model(tmp_path / f"{by}.onnx", SIZE, divide_by=by)) for by in (4.0, 100.0)
    )
    wrong = load(Candidate("openvino", "fp32"), other, setup)
    with pytest.raises(DeviationError, match="deviates"):
        gate.check(wrong)
    quarter = load(REFERENCE, plain, setup)
    with pytest.raises(DeviationError, match="scaled by"):
        Gate(quarter, 1e-3).check(wrong)
    Gate(quarter, math.inf).check(wrong)
    assert wrong.deviation == pytest.approx(0.0, abs=1e-3)


def test_a_model_that_gives_one_value_everywhere_is_refused(tmp_path: Path) -> None:
    path = write_constant_model(tmp_path / "constant.onnx")
    with pytest.raises(ModelError, match=r"constant\.onnx: .*same value everywhere.*not trained"):
        open_engine(path, cache=tmp_path / "cache")
    engine = open_engine(path, "openvino", "fp32", tolerance=math.inf)
    assert engine.deviation is None
    assert not engine.infer(probes(SIZE)[0]).any()


def test_engines_that_deviate_are_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path / "sevenths.onnx", SIZE, divide_by=7.0)
    caplog.set_level(logging.INFO, "linescan.depth")
    with pytest.raises(ModelError, match=r"openvino-fp32: .*deviates .* more than 1e-12"):
        open_engine(path, "openvino", "fp32", tolerance=1e-12, cache=tmp_path)
    engine = open_engine(path, tolerance=1e-12, cache=tmp_path)
    assert engine.name == "cpu-fp32"
    assert engine.deviation == 0.0
    refused = [r for r in caplog.records if "openvino-fp32 is not used" in r.getMessage()]
    assert {r.levelno for r in refused} == {logging.WARNING}  # fp32 should not deviate
