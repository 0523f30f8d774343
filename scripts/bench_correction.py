"""What correction costs: python scripts/bench_correction.py [--width 4096] [--lines 512].

Compares ways to apply a flat field side by side, then times the stages as the pipeline calls them.
Figures are CPU time of one thread, so that other programs disturb them less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from linescan.correction.correct import Correct
from linescan.correction.flat_field import FlatField
from linescan.correction.resample import Resample
from linescan.records import LineBlock

ROUNDS = 30
BLOCKS = 60
TICKS = 10
"""Encoder ticks of a row."""
Array = npt.NDArray[Any]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=4096, help="pixels across")
    parser.add_argument("--lines", type=int, default=512, help="lines of a block")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (given.lines, given.width), dtype=np.uint8)
    offset = rng.uniform(0, 3, given.width).astype(np.float32)
    gain = rng.uniform(1, 1.9, given.width).astype(np.float32)
    exact = np.clip(np.rint((raw.astype(np.float64) - offset) * gain), 0, 255)
    print("flat field, 8 bits         GB/s   largest and mean error in gray values")
    for name, way in WAYS.items():
        out = np.empty_like(raw)
        best = min(_cpu(way, raw, offset, gain, out) for _ in range(ROUNDS))
        error = np.abs(out - exact)
        print(f"{name:24} {raw.size / best / 1e9:6.2f}   {error.max():.0f}, {error.mean():.3f}")
    print("\nstage                              klines/s   of a core at 100 klines/s")
    for bits in (8, 12):
        reference = FlatField(offset, gain, bits, "")
        for name, ticks, stage in _stages(reference, given.lines * BLOCKS, rng):
            seconds = _play(stage, given.width, given.lines, bits, ticks)
            each = seconds / (given.lines * BLOCKS)
            print(f"{bits:2} bits, {name:24} {1e-3 / each:9.0f}   {each * 1e5:.0%}")


def _tiles(rows: int, height: int) -> Iterator[slice]:
    return (slice(at, min(at + height, rows)) for at in range(0, rows, height))


def in_float(raw: Array, offset: Array, gain: Array, out: Array) -> None:
    """NumPy in float32."""
    shift = 0.5 - offset * gain
    work = np.empty((16, raw.shape[1]), np.float32)
    for part in _tiles(len(raw), 16):
        values = work[: len(raw[part])]
        np.multiply(raw[part], gain, out=values)
        np.add(values, shift, out=values)
        np.clip(values, 0, 255, out=values)
        np.copyto(out[part], values, casting="unsafe")


def in_fixed_point(raw: Array, offset: Array, gain: Array, out: Array) -> None:
    """NumPy and OpenCV in 9.7 fixed point; gains below 2."""
    factor = np.rint(gain * 128).astype(np.uint16)
    dark = np.tile(np.rint(offset * gain * 128).astype(np.uint16), (32, 1))
    work = np.empty(dark.shape, np.uint16)
    for part in _tiles(len(raw), 32):
        values = work[: len(raw[part])]
        np.multiply(raw[part], factor, out=values)
        cv2.subtract(values, dark[: len(values)], dst=values)
        cv2.convertScaleAbs(values, dst=out[part], alpha=1 / 128)


def in_integer_offsets(raw: Array, offset: Array, gain: Array, out: Array) -> None:
    """OpenCV, offsets rounded to gray values."""
    dark = np.tile(np.rint(offset).astype(np.uint8), (32, 1))
    factor = np.tile(gain, (32, 1))
    work = np.empty(dark.shape, np.uint8)
    for part in _tiles(len(raw), 32):
        values = work[: len(raw[part])]
        cv2.subtract(raw[part], dark[: len(values)], dst=values)
        cv2.multiply(values, factor[: len(values)], dst=out[part], dtype=cv2.CV_8U)


def in_opencv_float(raw: Array, offset: Array, gain: Array, out: Array) -> None:
    """OpenCV with a float32 difference: what the stage does."""
    dark, factor = np.tile(offset, (32, 1)), np.tile(gain, (32, 1))
    work = np.empty_like(dark)
    for part in _tiles(len(raw), 32):
        values = work[: len(raw[part])]
        cv2.subtract(raw[part], dark[: len(values)], dst=values, dtype=cv2.CV_32F)
        cv2.multiply(values, factor[: len(values)], dst=out[part], dtype=cv2.CV_8U)


WAYS: dict[str, Callable[[Array, Array, Array, Array], None]] = {
    "numpy float32": in_float,
    "9.7 fixed point": in_fixed_point,
    "opencv, whole offsets": in_integer_offsets,
    "opencv float32 (taken)": in_opencv_float,
}


def _stages(
    reference: FlatField, lines: int, rng: np.random.Generator
) -> Iterator[tuple[str, npt.NDArray[np.int64], Correct | Resample]]:
    even = TICKS * np.arange(lines, dtype=np.int64)
    yield "flat field", even, Correct(reference)
    yield "resample, even lines", even, Resample(TICKS)
    for name, low, high in (
        ("resample, jitter", 8, 13),
        ("resample, 2 lines a row", 3, 8),
        ("resample, 2 rows a line", 15, 26),
    ):
        yield name, np.cumsum(rng.integers(low, high, lines)), Resample(TICKS)


def _play(
    stage: Correct | Resample, width: int, lines: int, bits: int, ticks: npt.NDArray[np.int64]
) -> float:
    """CPU seconds that a stage takes for all blocks."""
    dtype = np.uint8 if bits == 8 else np.uint16
    pixels: Any = np.random.default_rng(1).integers(0, 1 << bits, (lines, width)).astype(dtype)
    total = 0.0
    for first in range(0, lines * BLOCKS, lines):
        block = LineBlock(pixels, first, lines, 0, encoder=ticks[first : first + lines])
        total += _cpu(_process, stage, block)
    return total


def _process(stage: Correct | Resample, block: LineBlock) -> None:
    for _ in stage.process(block):
        pass


def _cpu(do: Callable[..., object], *arguments: object) -> float:
    began = time.thread_time_ns()
    do(*arguments)
    return (time.thread_time_ns() - began) / 1e9


if __name__ == "__main__":
    main()
