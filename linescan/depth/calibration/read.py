"""Files of measured heights: maps, profiles along lines, and boxes of known height."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from linescan.depth.calibration.points import Block, Blocks, Floats, Profiles
from linescan.errors import CalibrationError

LEAST_HEIGHTS: Final = 2
"""Different heights that boxes must have: one alone tells no scale."""
PLACE: Final = "line and column must be finite"
BOX: Final = "they must be finite, with counts above 0"


def read_map(path: Path) -> Floats:
    """Read a 2-D .npy of heights as float64; what is not finite is not known.

    Raises:
        CalibrationError: it cannot be read, holds something else, or no height at all.
    """
    try:
        heights = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError) as error:
        raise CalibrationError(f"{path}: cannot be read as .npy: {error}") from error
    if not isinstance(heights, np.ndarray) or heights.ndim != 2 or heights.dtype.kind not in "fiu":
        raise CalibrationError(f"{path}: expected one 2-D array of numbers")
    if not np.isfinite(heights).any():
        raise CalibrationError(f"{path}: no height in it is known")
    return np.asarray(heights, np.float64)


def read_profiles(path: Path) -> Profiles:
    """Read a CSV of ``line,column,height``; an empty height is not known.

    Raises:
        CalibrationError: it cannot be read, or a row is wrong.
    """
    found = list(_read(path, ("line", "column", "height"), _is_place, PLACE))
    rows = np.array(found, np.float64).reshape(-1, 3)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return Profiles(rows[:, 0], rows[:, 1], rows[:, 2])


def read_blocks(path: Path) -> Blocks:
    """Read a CSV of ``first_line,line_count,first_column,column_count,height``.

    Raises:
        CalibrationError: it cannot be read, a row is wrong, or all are of one height.
    """
    names = ("first_line", "line_count", "first_column", "column_count", "height")
    blocks = tuple(Block(*row) for row in _read(path, names, _is_box, BOX))
    if len({block.height for block in blocks}) < LEAST_HEIGHTS:
        raise CalibrationError(
            f"{path}: boxes of at least two heights are needed; the bare web, at 0, may be one"
        )
    return Blocks(blocks)


def _is_place(row: tuple[float, ...]) -> bool:
    return all(map(math.isfinite, row[:2]))


def _is_box(row: tuple[float, ...]) -> bool:
    return all(map(math.isfinite, row)) and row[1] > 0 and row[3] > 0


def _read(
    path: Path, names: tuple[str, ...], good: Callable[[tuple[float, ...]], bool], rule: str
) -> Iterator[tuple[float, ...]]:
    """Rows of a CSV with a header line; columns in any order, others are ignored.

    Args:
        path: the file.
        names: of the columns.
        good: whether a row can be used; what is empty in it is NaN.
        rule: what that asks for, in words.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in names if name not in (reader.fieldnames or ())]
            if missing:
                raise CalibrationError(
                    f"{path}: no column {', '.join(missing)}; the first line must name the columns "
                    f"{','.join(names)}"
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}: expected numbers for {','.join(names)}"
                try:
                    found = tuple(float(row[name] or "nan") for name in names)
                except (TypeError, ValueError) as error:
                    raise CalibrationError(where) from error
                if not good(found):
                    raise CalibrationError(f"{where}; {rule}")
                yield found
    except FileNotFoundError as error:
        raise CalibrationError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CalibrationError(f"{path}: cannot be read as CSV: {error}") from error
