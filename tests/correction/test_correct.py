"""The flat field is applied exactly: rounded, saturated, to the valid rows alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linescan.correction.correct import TILE, Correct
from linescan.correction.flat_field import FlatField
from linescan.errors import CalibrationError
from linescan.records import LineBlock

unhurried = settings(deadline=None)


def reference(offset: Any, gain: Any, bits: int = 8) -> FlatField:
    columns = np.asarray(offset, np.float32), np.asarray(gain, np.float32)
    return FlatField(*columns, bits, "2026-01-01T00:00:00Z")


def corrected(made: FlatField, raw: npt.NDArray[Any], valid: int | None = None) -> LineBlock:
    rows = len(raw) if valid is None else valid
    (block,) = Correct(made).process(LineBlock(raw, 0, rows, 0))
    return block


def expected(made: FlatField, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In float32 as well, one operation at a time, so that halves round alike."""
    values = (raw.astype(np.float32) - made.offset) * made.gain
    return np.clip(np.rint(values), 0, (1 << made.bits) - 1).astype(raw.dtype)


@unhurried
@given(st.data(), st.sampled_from([8, 10, 12, 16]), st.integers(1, 40), st.integers(1, 20))
def test_every_pixel_is_corrected_by_its_own_column(
    data: st.DataObject, bits: int, width: int, rows: int
) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    top = (1 << bits) - 1
    raw = data.draw(hnp.arrays(dtype, (rows, width), elements=st.integers(0, top)))
    offsets = st.floats(0, top / 4, width=32)
    gains = st.floats(0.125, 16, width=32)
    made = reference(
        data.draw(hnp.arrays(np.float32, width, elements=offsets)),
        data.draw(hnp.arrays(np.float32, width, elements=gains)),
        bits,
    )
    block = corrected(made, raw)
    assert block.pixels.dtype == dtype
    assert np.array_equal(block.pixels, expected(made, raw))


def test_a_block_larger_than_a_tile_is_corrected_throughout() -> None:
    rng = np.random.default_rng(1)
    rows = 2 * TILE // 1000 + 7
    raw = rng.integers(0, 256, (rows, 1000), dtype=np.uint8)
    made = reference(rng.uniform(0, 9, 1000), rng.uniform(0.5, 3, 1000))
    assert np.array_equal(corrected(made, raw).pixels, expected(made, raw))


def test_values_end_at_black_and_at_full_scale() -> None:
    raw = np.array([[0, 5, 4095, 4000]], np.uint16)
    made = reference([10, 10, 0, 0], [1, 1, 1, 2], bits=12)
    assert corrected(made, raw).pixels.tolist() == [[0, 0, 4095, 4095]]


def test_stale_rows_are_left_out() -> None:
    raw = np.full((6, 3), 100, np.uint8)
    ticks = np.arange(6, dtype=np.int64)
    given_block = LineBlock(raw, 50, 4, 7, 8, ticks)
    (block,) = Correct(reference([0] * 3, [1] * 3)).process(given_block)
    assert block.pixels.shape == (4, 3)
    assert block.encoder is not None
    assert block.encoder.tolist() == [0, 1, 2, 3]
    assert (block.lines(), block.host_time_ns) == (given_block.lines(), 7)


def test_the_id_travels_and_the_input_is_left_alone() -> None:
    raw = np.full((2, 3), 100, np.uint8)
    raw.flags.writeable = False  # as a mapped recording is
    made = reference([0] * 3, [2] * 3)
    block = corrected(made, raw)
    assert block.flat_field == made.id
    assert (raw == 100).all()
    assert (block.pixels == 200).all()


@pytest.mark.parametrize("raw", [np.zeros((2, 4), np.uint8), np.zeros((2, 3), np.uint16)])
def test_lines_of_another_kind_are_refused(raw: npt.NDArray[Any]) -> None:
    with pytest.raises(CalibrationError, match="for 3 pixels of uint8, line 9 has"):
        list(Correct(reference([0] * 3, [1] * 3)).process(LineBlock(raw, 9, 2, 0)))


def test_the_id_tells_references_apart() -> None:
    made = reference([0, 1], [1, 1])
    assert made.id == reference([0, 1], [1, 1]).id
    others = [
        reference([0, 2], [1, 1]),
        reference([0, 1], [1, 2]),
        reference([0, 1], [1, 1], bits=10),
        dataclasses.replace(made, created="2026-01-02T00:00:00Z"),
    ]
    assert len({made.id, *(other.id for other in others)}) == 5
