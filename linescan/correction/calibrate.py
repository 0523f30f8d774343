"""A flat field from a dark and a white reference, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from linescan.correction.flat_field import FlatField
from linescan.correction.statistics import ColumnStatistics, Floats
from linescan.errors import CalibrationError
from linescan.records import BoolArray, true_runs

LEAST_LINES: Final = 200
"""With fewer, noise of some gray values leaves stripes: it falls with the root of their number."""
LEAST_LIGHT: Final = 0.25
"""Least mean level of white above dark, as a share of full scale."""
MOST_DARK: Final = 0.1
"""Highest mean level of the dark reference, as a share of full scale."""
MOST_CLIPPED: Final = 0.001
"""Largest share of a column's white pixels at full scale: the mean of clipped values is too low."""
MOST_FLICKER: Final = 0.02
"""Largest standard deviation of the white lines' levels, and largest drift, as a share of it."""
DOUBTFUL: Final = 0.1
"""A column whose answer is so far from that of its neighbours has dust on it or is defective."""
DEAD: Final = 0.2
"""A column with less than this share of its neighbours' answer cannot be corrected."""
NEIGHBOURS: Final = 63
"""Columns whose median a column is compared with: wider than dust, narrower than vignetting."""
NAMED: Final = 8
"""Runs of columns that a message names."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the references show.

    Attributes:
        problems: why they are no use, each a sentence that says what to do.
        warnings: what is better put right first.
        summary: name and value of what is worth knowing, in words.
    """

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    summary: tuple[tuple[str, str], ...]


def make_flat_field(
    white: ColumnStatistics,
    dark: ColumnStatistics | None = None,
    *,
    level: float | None = None,
    about: dict[str, str] | None = None,
) -> tuple[FlatField, Findings]:
    """Offset and gain of each column.

    Args:
        white: of a uniform, evenly lit target.
        dark: of lines without light; without it, offsets are taken for 0.
        level: gray value that the white target shall have after correction; None takes the one
            with which a pixel at full scale stays at full scale in every column.
        about: where the references come from, to be kept in the file.

    Returns:
        The flat field (gain 1 in columns that cannot be corrected), and what the references show.

    Raises:
        CalibrationError: the references do not go together.
    """
    if dark is not None and (dark.mean.size, dark.bits) != (white.mean.size, white.bits):
        raise CalibrationError(
            f"the dark reference has {dark.mean.size} pixels of {dark.bits} bits, the white one "
            f"{white.mean.size} of {white.bits}: take both with the same camera settings"
        )
    offset = np.zeros_like(white.mean) if dark is None else dark.mean
    answer = white.mean - offset
    ratio = answer / np.maximum(_neighbours(answer), 1e-9)
    dead = (ratio < DEAD) | (answer <= 0)
    doubtful = (np.abs(ratio - 1) > DOUBTFUL) & ~dead
    good = ~(dead | doubtful)
    target = level or _full_scale_level(answer, offset, white.full_scale, good)
    gain = np.where(dead, 1.0, target / np.where(dead, 1.0, answer))
    reference = FlatField(
        offset.astype(np.float32),
        gain.astype(np.float32),
        white.bits,
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        {
            **(about or {}),
            "white_lines": white.lines,
            "dark_lines": 0 if dark is None else dark.lines,
            "level": round(target, 3),
            "doubtful_columns": [[run.first, run.count] for run in true_runs(doubtful | dead)],
        },
    )
    summary = tuple(_summary(white, dark, answer, reference))
    return reference, Findings(
        tuple(_problems(white, dark, answer, dead)),
        tuple(_warnings(dark, doubtful)),
        summary,
    )


def _neighbours(answer: Floats) -> Floats:
    """The median of the columns around each column."""
    size = min(NEIGHBOURS, answer.size)
    around: Floats = median_filter(answer, size=size, mode="mirror")
    return around


def _full_scale_level(answer: Floats, offset: Floats, full: int, good: BoolArray) -> float:
    """The least level L with (full - offset) * L / answer >= full in every good column."""
    levels = full * answer / np.maximum(full - offset, 1.0)
    return float((levels[good] if good.any() else levels).max())


def _problems(
    white: ColumnStatistics, dark: ColumnStatistics | None, answer: Floats, dead: BoolArray
) -> Iterator[str]:
    for name, reference in (("white", white), ("dark", dark)):
        if reference is not None and reference.lines < LEAST_LINES:
            yield (
                f"the {name} reference has {reference.lines} lines, too few against noise: "
                f"take at least {LEAST_LINES}"
            )
    full = white.full_scale
    clipped = white.clipped > MOST_CLIPPED
    if clipped.any():
        yield (
            f"the white reference is saturated in {_columns(clipped)}: reduce exposure, gain or "
            "light until white stays below 90 % of full scale"
        )
    if dark is not None and dark.mean.mean() > MOST_DARK * full:
        yield (
            f"the dark reference is not dark: {dark.mean.mean():.1f} of {full}; cover the lens "
            "or switch the light off"
        )
    light = float(np.median(answer))
    if light < LEAST_LIGHT * full:
        yield (
            f"too little light: white is {light:.1f} above dark, {light / full:.0%} of full scale; "
            f"give at least {LEAST_LIGHT:.0%}, best 60 to 80 %"
        )
    elif dead.any():
        yield (
            f"{_columns(dead)} hardly answer to light: remove what covers them; where the sensor "
            "is defective there, use another region of it"
        )
    if white.flicker > MOST_FLICKER or white.drift > MOST_FLICKER:
        yield (
            f"the light is not steady: lines vary by {white.flicker:.1%} and drift by "
            f"{white.drift:.1%}, at most {MOST_FLICKER:.0%} is good; let the lamp warm up, keep "
            "other light away, use a uniform target"
        )


def _warnings(dark: ColumnStatistics | None, doubtful: BoolArray) -> Iterator[str]:
    if dark is None:
        yield "no dark reference: the columns' offsets are taken for 0"
    if doubtful.any():
        yield (
            f"{_columns(doubtful)} answer {DOUBTFUL:.0%} or more unlike their neighbours: clean "
            "lens, sensor window and target and repeat; what stays is the sensor's and is corrected"
        )


def _summary(
    white: ColumnStatistics, dark: ColumnStatistics | None, answer: Floats, made: FlatField
) -> Iterator[tuple[str, str]]:
    full = white.full_scale
    yield "lines", f"{white.lines} white, {0 if dark is None else dark.lines} dark"
    yield "columns", f"{made.width} of {made.bits} bits"
    yield "white level", f"{white.mean.mean():.1f} ({white.mean.mean() / full:.0%} of full scale)"
    if dark is not None:
        yield "dark level", f"{dark.mean.mean():.2f}"
        yield "DSNU", f"{dark.mean.std():.2f} gray values (standard deviation of offsets)"
    yield "PRNU", f"{answer.std() / max(answer.mean(), 1e-9):.2%} (vignetting and light included)"
    yield "gain", f"{made.gain.min():.3f} to {made.gain.max():.3f}"
    yield "white becomes", f"{made.about['level']:.1f}"
    yield "light", f"flicker {white.flicker:.2%}, drift {white.drift:.2%}"


def _columns(mask: npt.NDArray[np.bool_]) -> str:
    """Columns in words: their number, and the first runs."""
    runs = true_runs(mask)
    named = [str(r.first) if r.count == 1 else f"{r.first}-{r.end - 1}" for r in runs[:NAMED]]
    more = ", …" if len(runs) > NAMED else ""
    number = int(mask.sum())
    return f"{number} column{'s' if number > 1 else ''} ({', '.join(named)}{more})"
