"""A flat field from references: it evens out the columns, and says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from linescan.correction.calibrate import LEAST_LINES, make_flat_field
from linescan.correction.correct import Correct
from linescan.correction.statistics import ColumnStatistics, measure_columns
from linescan.errors import CalibrationError
from linescan.records import Cause, GrayArray, LineBlock, Loss

WIDTH, LINES = 400, 600
X = np.linspace(-1, 1, WIDTH)
SHADE = 1 - 0.3 * X * X
RNG = np.random.default_rng(11)
ANSWER = 1 + 0.02 * RNG.standard_normal(WIDTH)
OFFSET = np.abs(3 * RNG.standard_normal(WIDTH))


def lines(light: Any, *, bits: int = 8, count: int = LINES, noise: float = 1.0) -> LineBlock:
    """Lines of a camera with uneven columns; ``light`` is a share of full scale."""
    full = (1 << bits) - 1
    level = np.asarray(light) * full * SHADE * ANSWER + OFFSET * full / 255
    values: Any = level + noise * np.random.default_rng(5).standard_normal((count, WIDTH))
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels: GrayArray = np.clip(np.rint(values), 0, full).astype(dtype)
    return LineBlock(pixels, 0, count, 0)


def measured(*blocks: LineBlock | Loss, bits: int = 8, wanted: int = 10**6) -> ColumnStatistics:
    return measure_columns(blocks, bits, wanted)


def problems(white: LineBlock, dark: LineBlock | None = None) -> str:
    _, findings = make_flat_field(measured(white), measured(dark or lines(0.0)))
    return " | ".join(findings.problems)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_it_evens_out_the_columns(bits: int) -> None:
    white = measured(lines(0.7, bits=bits), bits=bits)
    dark = measured(lines(0.0, bits=bits), bits=bits)
    made, findings = make_flat_field(white, dark)
    assert not findings.problems
    assert not findings.warnings
    gray = lines(0.35, bits=bits)
    (block,) = Correct(made).process(gray)
    before, after = gray.pixels.mean(axis=0), block.pixels.mean(axis=0)
    assert before.std() / before.mean() > 0.05
    assert after.std() / after.mean() < 0.003
    assert after.mean() == pytest.approx(made.about["level"] / 2, rel=0.02)


def test_a_pixel_at_full_scale_stays_there_in_every_column() -> None:
    made, _ = make_flat_field(measured(lines(0.7)), measured(lines(0.0)))
    full: npt.NDArray[np.uint8] = np.full((1, WIDTH), 255, np.uint8)
    (block,) = Correct(made).process(LineBlock(full, 0, 1, 0))
    assert (block.pixels == 255).all()


def test_the_level_of_white_can_be_chosen() -> None:
    made, _ = make_flat_field(measured(lines(0.7)), measured(lines(0.0)), level=150)
    (block,) = Correct(made).process(lines(0.7))
    assert block.pixels.mean() == pytest.approx(150, abs=0.5)


def test_without_dark_reference_it_warns() -> None:
    made, findings = make_flat_field(measured(lines(0.7)))
    assert not made.offset.any()
    assert "no dark reference" in " ".join(findings.warnings)


def test_saturation_is_refused() -> None:
    assert "saturated in" in problems(lines(1.05))
    assert not problems(lines(0.85))


def test_too_little_light_is_refused() -> None:
    assert "too little light: white is" in problems(lines(0.15))


def test_a_dark_reference_with_light_is_refused() -> None:
    assert "is not dark" in problems(lines(0.8), lines(0.2))


def test_too_few_lines_are_refused() -> None:
    text = problems(lines(0.7, count=LEAST_LINES - 1))
    assert f"white reference has {LEAST_LINES - 1} lines" in text
    assert "dark" not in text


@pytest.mark.parametrize(
    "light",
    [1 + 0.05 * np.sin(np.arange(LINES) / 9), np.linspace(0.96, 1.04, LINES)],
    ids=["flicker", "drift"],
)
def test_unsteady_light_is_refused(light: npt.NDArray[np.float64]) -> None:
    assert "not steady" in problems(lines(0.7 * light[:, None]))


def test_dust_is_named_and_corrected() -> None:
    dust = np.ones(WIDTH)
    dust[100:104] = 0.8
    made, findings = make_flat_field(measured(lines(0.7 * dust)), measured(lines(0.0)))
    assert not findings.problems
    (warning,) = findings.warnings
    assert warning.startswith("4 columns (100-103) answer 10% or more unlike their neighbours")
    assert made.about["doubtful_columns"] == [[100, 4]]
    clean, _ = make_flat_field(measured(lines(0.7)), measured(lines(0.0)))
    assert made.about["level"] == pytest.approx(clean.about["level"], rel=0.01)


def test_columns_that_do_not_answer_are_refused() -> None:
    covered = np.ones(WIDTH)
    covered[[0, 7]] = 0.01
    white = measured(lines(0.7 * covered))
    made, findings = make_flat_field(white, measured(lines(0.0)))
    (problem,) = findings.problems
    assert problem.startswith("2 columns (0, 7) hardly answer to light")
    assert made.gain[[0, 7]].tolist() == [1, 1]


def test_references_of_different_shape_are_refused() -> None:
    dark = measured(lines(0.0, bits=12), bits=12)
    with pytest.raises(CalibrationError, match="400 pixels of 12 bits, the white one 400 of 8"):
        make_flat_field(measured(lines(0.7)), dark)


def test_measuring_leaves_out_losses_stale_rows_and_what_is_not_wanted() -> None:
    one = LineBlock(np.full((3, 2), 10, np.uint8), 0, 2, 0)  # one stale row
    two = LineBlock(np.full((5, 2), 20, np.uint8), 9, 5, 0)
    two.pixels[2:] = 255
    found = measured(one, Loss(2, 7, Cause.CAMERA_GAP), two, wanted=4)
    assert found.mean.tolist() == [15, 15]
    assert found.levels.tolist() == [10, 10, 20, 20]
    assert not found.clipped.any()


def test_a_source_without_lines_and_a_changing_width_are_refused() -> None:
    with pytest.raises(CalibrationError, match="gave no lines"):
        measured(Loss(0, 5, Cause.CAMERA_GAP))
    with pytest.raises(CalibrationError, match="line 5 has 3 pixels, the lines before had 2"):
        measured(
            LineBlock(np.zeros((5, 2), np.uint8), 0, 5, 0),
            LineBlock(np.zeros((5, 3), np.uint8), 5, 5, 0),
        )
