"""``truth/``: the known heights, labels and objects of a simulated web, in pieces of some MB."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError
from linescan.recording.files import map_array, write_array
from linescan.recording.header import Header, HeightEncoding, TruthHeader
from linescan.recording.truth_files import (
    block_means,
    decode_height,
    encode_height,
    read_png,
    write_png,
)
from linescan.records import FloatArray, LabelArray, WebMap

TRUTH_FOLDER = "truth"
PIECE_PIXELS = 2**21
"""Camera pixels in one piece of truth, about."""


@dataclass(frozen=True, slots=True)
class TruthObject:
    """One object in true relief; both ends of its box are inclusive.

    ``id`` is its number in the labels, ``peak_mm`` its signed height over its surroundings.
    """

    id: int
    kind: str
    first_line: int
    last_line: int
    first_column: int
    last_column: int
    area_px: int
    peak_mm: float


COLUMNS = tuple(field.name for field in fields(TruthObject))
_WHOLE_NUMBERS = tuple(name for name in COLUMNS if name not in {"kind", "peak_mm"})


class TruthWriter:
    """Writes truth as it comes, line by line; keeps one piece in memory."""

    def __init__(self, folder: Path, width: int, encoding: HeightEncoding) -> None:
        self._folder = folder / TRUTH_FOLDER
        self._encoding = encoding
        step = encoding.step
        self._piece_lines = max(1, PIECE_PIXELS // (width * step)) * step
        self._height = np.empty((self._piece_lines, width), np.float32)
        self._labels = np.empty((self._piece_lines, width), np.uint16)
        self._filled = 0
        self._pieces = 0
        self._first_line: int | None = None
        self._next_line = 0
        self._has_labels: bool | None = None
        self._has_objects = False
        for name in ("height", "labels"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def append(self, first_line: int, height: FloatArray, labels: LabelArray | None) -> None:
        """Add lines that follow those before.

        Args:
            first_line: absolute number of the first line.
            height: (rows, width) float32, mm, NaN where unknown.
            labels: (rows, width) uint16 object ids, 0 for none; always given or never.

        Raises:
            ValueError: the lines do not follow the last ones, or a shape is wrong.
            SourceError: a height does not fit the encoding.
            OSError: a piece cannot be written.
        """
        if self._first_line is None:
            self._first_line = self._next_line = first_line
            self._has_labels = labels is not None
        if first_line != self._next_line or (labels is not None) != self._has_labels:
            raise ValueError(f"truth must go on at line {self._next_line}, got {first_line}")
        rows = len(height)
        done = 0
        while done < rows:
            take = min(rows - done, self._piece_lines - self._filled)
            here = slice(self._filled, self._filled + take)
            self._height[here] = height[done : done + take]
            if labels is not None:
                self._labels[here] = labels[done : done + take]
            self._filled += take
            done += take
            if self._filled == self._piece_lines:
                self._flush()
        self._next_line += rows

    def append_objects(self, objects: Iterable[TruthObject]) -> None:
        """Add true objects.

        Raises:
            OSError: they cannot be written.
        """
        path = self._folder / "objects.csv"
        with path.open("a", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            if not self._has_objects:
                rows.writerow(COLUMNS)
                self._has_objects = True
            rows.writerows(asdict(thing).values() for thing in objects)

    def finish(self) -> TruthHeader | None:
        """Write what is left; None where no lines came.

        Raises:
            OSError: it cannot be written.
        """
        self._flush()
        if self._first_line is None:
            return None
        return TruthHeader(
            first_line=self._first_line,
            lines=self._next_line - self._first_line,
            piece_lines=self._piece_lines,
            height=self._encoding,
            labels=bool(self._has_labels),
            objects=self._has_objects,
        )

    def _flush(self) -> None:
        if not self._filled:
            return
        name = f"{self._pieces:06d}"
        means = block_means(self._height[: self._filled], self._encoding.step)
        write_array(self._folder / "height" / f"{name}.npy", encode_height(means, self._encoding))
        if self._has_labels:
            write_png(self._folder / "labels" / f"{name}.png", self._labels[: self._filled])
        self._pieces += 1
        self._filled = 0


class Truth:
    """Reads the truth of a recording; lines are absolute."""

    def __init__(self, folder: Path, header: Header, truth: TruthHeader) -> None:
        self._folder = folder / TRUTH_FOLDER
        self._width = header.width
        self._pitch = header.pitch
        self.header = truth
        self._piece: tuple[int, LabelArray] | None = None

    def height(self, first_line: int, count: int) -> tuple[FloatArray, WebMap]:
        """Heights of the web, mm, at the stored resolution.

        Args:
            first_line: absolute number of the first line wanted.
            count: lines wanted.

        Returns:
            Values (h, w) float32, NaN where unknown, of the step x step blocks that hold the wanted
            lines, and where they lie on the web. A block that the end of the web cuts is the mean
            of the pixels it has.

        Raises:
            SourceError: the truth does not reach so far, or a file is broken.
        """
        step = self.header.height.step
        columns = -(-self._width // step)
        parts, at = [], first_line - self.header.first_line
        for piece, start, stop in self._pieces(first_line, count):
            stored = self._map(piece, columns)
            parts.append(
                decode_height(stored[start // step : -(-stop // step)], self.header.height)
            )
        centre = (step - 1) / 2
        web = WebMap(
            line_offset=self.header.first_line + at // step * step + centre,
            line_step=step,
            column_offset=centre,
            column_step=step,
            mm_per_line=self._pitch.along_mm,
            mm_per_column=self._pitch.across_mm,
        )
        return np.concatenate(parts), web

    def labels(self, first_line: int, count: int) -> LabelArray:
        """Object ids (count, width) uint16 of the web's pixels, 0 for none.

        Raises:
            SourceError: there are none, they do not reach so far, or a file is broken.
        """
        if not self.header.labels:
            raise SourceError(f"{self._folder}: the recording has no true labels")
        parts = [
            self._read_labels(piece)[start:stop]
            for piece, start, stop in self._pieces(first_line, count)
        ]
        return np.concatenate(parts)

    def objects(self) -> list[TruthObject]:
        """All true objects, by their first line.

        Raises:
            SourceError: the file is broken.
        """
        if not self.header.objects:
            return []
        path = self._folder / "objects.csv"
        try:
            with path.open(encoding="utf-8", newline="") as file:
                found = [_to_object(row) for row in csv.DictReader(file)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path}: the true objects cannot be read: {error}") from error
        return sorted(found, key=lambda thing: (thing.first_line, thing.first_column))

    def _pieces(self, first_line: int, count: int) -> Iterator[tuple[int, int, int]]:
        """The pieces that hold lines, each with the first and last (exclusive) line in it."""
        size, start = self.header.piece_lines, first_line - self.header.first_line
        if count < 1 or start < 0 or start + count > self.header.lines:
            raise SourceError(
                f"{self._folder}: lines {first_line} to {first_line + count - 1} have no truth; it "
                f"begins at {self.header.first_line} and has {self.header.lines} lines"
            )
        for piece in range(start // size, (start + count - 1) // size + 1):
            low, high = piece * size, (piece + 1) * size
            yield piece, max(start, low) - low, min(start + count, high) - low

    def _rows(self, piece: int) -> int:
        size = self.header.piece_lines
        return min(size, self.header.lines - piece * size)

    def _map(self, piece: int, columns: int) -> npt.NDArray[Any]:
        path = self._folder / "height" / f"{piece:06d}.npy"
        rows = -(-self._rows(piece) // self.header.height.step)
        try:
            stored = map_array(path, self.header.height.dtype, columns)
            if len(stored) != rows:
                raise ValueError(f"expected {rows} rows, found {len(stored)}")
        except ValueError as error:
            raise SourceError(f"{path}: {error}") from error
        return stored

    def _read_labels(self, piece: int) -> LabelArray:
        if self._piece is None or self._piece[0] != piece:
            path = self._folder / "labels" / f"{piece:06d}.png"
            labels = read_png(path)
            if labels.shape != (self._rows(piece), self._width):
                raise SourceError(
                    f"{path}: expected {self._rows(piece)} x {self._width} labels, found "
                    f"{' x '.join(map(str, labels.shape))}"
                )
            self._piece = (piece, labels)
        return self._piece[1]


def _to_object(row: dict[str, str]) -> TruthObject:
    numbers = {name: int(row[name]) for name in _WHOLE_NUMBERS}
    return TruthObject(kind=row["kind"], peak_mm=float(row["peak_mm"]), **numbers)
