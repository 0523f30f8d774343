"""Data sets with known height: recordings, pairs of picture and height, the simulated web."""

from __future__ import annotations

from pathlib import Path

from linescan.config import Config
from linescan.evaluation.datasets import lit, simulated
from linescan.evaluation.datasets.base import (
    MM_PER,
    DataSet,
    DataSetError,
    HeightUnit,
    KnownLight,
    TrueFrame,
    Wanted,
)
from linescan.evaluation.datasets.lit import LitHeights
from linescan.evaluation.datasets.pairs import PairFolder, has_pairs
from linescan.evaluation.datasets.scans import TrueScan
from linescan.evaluation.datasets.simulated import NAMED, SimulatedFrames
from linescan.recording.header import HEADER_FILE

__all__ = [
    "MM_PER",
    "NAMED",
    "DataSet",
    "DataSetError",
    "HeightUnit",
    "KnownLight",
    "LitHeights",
    "PairFolder",
    "SimulatedFrames",
    "TrueFrame",
    "TrueScan",
    "Wanted",
    "open_data_set",
    "takes_measured",
]


def open_data_set(
    name: str, config: Config, *, levelled: bool = False, pitch_mm: float | None = None
) -> DataSet:
    """The data set that a name or a path stands for.

    Args:
        name: ``simulated:NAME``, ``lit:HEIGHT.npy``, the folder of a recording with truth, or a
            folder of pairs.
        config: how a recording's lines become frames.
        levelled: take the best plane off measured heights.
        pitch_mm: size of a pixel, for measured heights that do not say.

    Raises:
        LinescanError: there is no such data set, or it cannot be judged on.
    """
    if name.startswith(simulated.PREFIX):
        return SimulatedFrames(name)
    if name.startswith(lit.PREFIX):
        return LitHeights(name, levelled=levelled, pitch_mm=pitch_mm)
    path = Path(name)
    if not path.exists():
        raise DataSetError(
            f"{name}: no such data set: expected a folder or {simulated.PREFIX}NAME, NAME being "
            f"{', '.join(NAMED)}"
        )
    if path.name == HEADER_FILE or (path / HEADER_FILE).is_file():
        return TrueScan(path, config)
    if path.is_dir() and has_pairs(path):
        return PairFolder(path, levelled=levelled, pitch_mm=pitch_mm)
    raise DataSetError(
        f"{name}: neither a recording (it has no {HEADER_FILE}) nor a folder of pairs "
        "NAME_intensity.png and NAME_height_um.npy"
    )


def takes_measured(data_set: DataSet) -> bool:
    """Whether its heights were measured: they may be levelled, and lack the size of a pixel."""
    return isinstance(data_set, LitHeights | PairFolder)
