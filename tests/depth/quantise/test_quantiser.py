"""Quantising whole files, and running them on real engines."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from linescan.depth import open_engine, read_card
from linescan.depth.backends.base import BackendName
from linescan.depth.check import check_record
from linescan.depth.engine import INT8_TOLERANCE
from linescan.depth.export import export
from linescan.depth.gate import agreement
from linescan.depth.quantise import MIN_FRAMES, Part, QuantiseReport, quantise
from linescan.depth.quantise.graph import Scores
from linescan.depth.quantise.plan import ScoresPlan, Unit
from linescan.depth.quantise.quantiser import parts
from linescan.depth.quantise.workbench import split
from linescan.errors import ModelError
from tests.depth.quantise.conftest import SIZE, frames

pytestmark = pytest.mark.slow

ONE = np.ones(1)
GENEROUS = 0.2
"""A random head is rougher than a trained one."""


@pytest.fixture(scope="module")
def report(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> QuantiseReport:
    out = tmp_path_factory.mktemp("quantised") / "mine-int8.onnx"
    return quantise(read_card(exported), frames(16), out, tolerance=GENEROUS, threads=1)


def test_the_report_says_what_was_made(report: QuantiseReport, exported: Path) -> None:
    assert 0 < report.deviation.pooled < GENEROUS
    assert len(report.deviation.frames) == 4
    assert report.calibrated == 8
    assert report.nbytes == report.path.stat().st_size < report.original_nbytes
    assert report.original_nbytes == exported.stat().st_size
    assert {part.kind: part.total for part in report.parts}["linear layers"] == 16
    assert {part.share for part in report.parts} == {1.0}
    assert report.speed.ms > 0
    assert report.speed.other_ms > 0


def test_the_card_is_that_of_the_original_but_for_the_precision(
    report: QuantiseReport, exported: Path
) -> None:
    card, original = read_card(report.path), read_card(exported)
    assert card.precision == "int8"
    assert card.name == f"{original.name}-int8"
    for field in ("convention", "unit", "scale", "shift", "noise_floor", "features", "input_size"):
        assert getattr(card, field) == getattr(original, field)
    assert card.verification["deviation"] == report.deviation.pooled
    record = check_record(card)
    assert record["original_sha256"] == original.sha256
    assert record["calibrated_frames"] == 8
    assert len(record["quantised_checks"]) == 4
    props = {p.key: p.value for p in onnx.load(report.path).metadata_props}
    assert json.loads(props["linescan.quantised"])["deviation"] == report.deviation.pooled


@pytest.mark.parametrize("backend", ["cpu", "openvino"])
def test_both_engines_run_it_and_say_that_it_is_quantised(
    backend: BackendName,
    report: QuantiseReport,
    exported: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = frames(1, seed=31)[0]
    reference = open_engine(exported, "cpu", "fp32", tolerance=np.inf, cache=tmp_path)
    with caplog.at_level(logging.WARNING):
        engine = open_engine(
            report.path,
            backend,
            "auto",
            tolerance=GENEROUS,
            cache=tmp_path,
        )
    try:
        assert engine.name.startswith(backend)
        found = agreement(engine.infer(image), reference.infer(image))
        assert 0 < found.deviation < GENEROUS
        assert f"{report.deviation.pooled:.2g} standard deviations" in caplog.text
        assert "int8" in caplog.text
    finally:
        engine.close()
        reference.close()


def test_engines_may_round_to_other_bytes(report: QuantiseReport, tmp_path: Path) -> None:
    """The bound for differences between engines is not that for the deviation from the original."""
    engine = open_engine(report.path, "openvino", "fp32", tolerance=1e-6, cache=tmp_path)
    assert engine.deviation is not None
    assert 1e-6 < engine.deviation <= INT8_TOLERANCE
    engine.close()


def test_frames_are_used_for_one_thing_only() -> None:
    images = [np.full((2, 2), i, np.uint8) for i in range(17)]
    lots = [[int(image[0, 0]) for image in lot] for lot in split(images)]
    assert sorted(i for lot in lots for i in lot) == list(range(17))
    assert lots[2] == [3, 7, 11, 15]
    assert all(lots)
    assert all(lot for lot in split(images[:MIN_FRAMES]))


def test_the_report_says_what_stayed_as_it_was() -> None:
    units = [
        Unit(name, scores=(ScoresPlan(Scores(name, "q", "k", "p"), ONE, ONE, 1.0, 1.0, work),))
        for name, work in (("a", 1.0), ("b", 3.0))
    ]
    assert parts(units, units[1:]) == (Part("attention scores", 1, 2, 0.75),)


def unlike(images: list[np.ndarray]) -> list[np.ndarray]:
    """Frames to calibrate on that are nearly blank; those that are held back are not."""
    blank = np.full(SIZE, 120, np.uint8)
    grain = np.random.default_rng(3).integers(0, 3, SIZE, np.uint8)
    return [image if i % 4 == 3 else blank + grain for i, image in enumerate(images)]


def test_more_than_the_tolerance_is_written_only_by_force(exported: Path, tmp_path: Path) -> None:
    images = unlike(frames(12))
    card, out = read_card(exported), tmp_path / "poor.onnx"
    out.write_bytes(b"an older file")
    with pytest.raises(ModelError, match=r"deviates by .* more than 0\.1.*--force"):
        quantise(card, images, out, tolerance=0.1, threads=1)
    assert out.read_bytes() == b"an older file"
    assert [path.name for path in tmp_path.iterdir()] == ["poor.onnx"]
    made = quantise(card, images, out, tolerance=0.1, force=True, threads=1)
    assert made.deviation.pooled > 0.1
    assert read_card(out).verification["deviation"] == made.deviation.pooled


def test_a_tolerance_without_room_is_refused(exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.onnx"
    with pytest.raises(ModelError, match="no part of it can be quantised within 1e-06"):
        quantise(read_card(exported), frames(8), out, tolerance=1e-6, threads=1)
    assert not list(tmp_path.iterdir())


def few(path: Path, out: Path) -> None:
    quantise(read_card(path), frames(MIN_FRAMES - 1), out)


def wrong_shape(path: Path, out: Path) -> None:
    quantise(read_card(path), [np.zeros((70, 70), np.uint8)] * 8, out)


def wrong_size(path: Path, out: Path) -> None:
    quantise(read_card(path), frames(8), out, size=(84, 84))


def blank(path: Path, out: Path) -> None:
    quantise(read_card(path), frames(8), out.with_suffix(".pt"))


def itself(path: Path, out: Path) -> None:
    quantise(read_card(path), frames(8), path)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (few, "7 frames to calibrate on: at least 8"),
        (wrong_shape, "takes 70x84 uint8 images at this size, got 70x70 uint8"),
        (wrong_size, "exported for 70x84 only"),
        (blank, r"must end in \.onnx"),
        (itself, "is the original"),
    ],
)
def test_bad_requests_are_told_in_one_sentence(
    attempt: Callable[[Path, Path], None], said: str, exported: Path, tmp_path: Path
) -> None:
    before = exported.read_bytes()
    with pytest.raises(ModelError, match=said) as caught:
        attempt(exported, tmp_path / "out.onnx")
    assert "\n" not in str(caught.value)
    assert exported.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_what_is_quantised_already_is_refused(report: QuantiseReport, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="its encoder is int8 already"):
        quantise(read_card(report.path), frames(8), tmp_path / "twice.onnx")


def test_rgb_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = export(checkpoint, tmp_path / "rgb.onnx", size=SIZE, channels=3).path
    with pytest.raises(ModelError, match="takes RGB images"):
        quantise(read_card(path), frames(8), tmp_path / "out.onnx")


def test_a_file_cut_short_after_it_was_read_is_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    shutil.copy(exported, path)
    card = read_card(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        quantise(card, frames(8), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_dynamic_model_is_calibrated_at_another_size(dynamic: Path, tmp_path: Path) -> None:
    images = [image[:, :70] for image in frames(8)]
    made = quantise(
        read_card(dynamic),
        images,
        tmp_path / "dynamic.onnx",
        size=(70, 70),
        tolerance=GENEROUS,
        force=True,
        threads=1,
    )
    assert made.size == (70, 70)
    card = read_card(made.path)
    assert card.dynamic
    engine = open_engine(card, "cpu", size=(84, 70), tolerance=np.inf, cache=tmp_path / "cache")
    assert engine.infer(np.zeros((84, 70), np.uint8)).shape == (84, 70)
    engine.close()
