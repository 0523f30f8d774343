"""Reads a recording; pixels are mapped into memory, not loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.errors import SourceError
from linescan.recording.entries import (
    BLOCK_FOLDER,
    INDEX_FILE,
    BlockEntry,
    Entry,
    LossEntry,
    read_entries,
)
from linescan.recording.files import map_array
from linescan.recording.header import HEADER_FILE, Header, read_header
from linescan.recording.truth import Truth
from linescan.records import LineBlock, Loss

_log = logging.getLogger(__name__)


class BadBlockError(SourceError):
    """A block file is missing or broken; the text names it, what was expected and what found."""


class Recording:
    """A recording on disk.

    Attributes:
        path: its folder.
        header: the content of ``recording.yaml``; where the recording was cut short, its counts
            are those of the blocks that are there.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header
        self._mapped: dict[str, tuple[str, npt.NDArray[Any]]] = {}

    @classmethod
    def open(cls, path: Path) -> Recording:
        """Open a recording and check its description and its list of blocks.

        Args:
            path: its folder, or the ``recording.yaml`` in it.

        Raises:
            SourceError: it is no recording, or its description or list of blocks is wrong; the
                text names file and key or line.
        """
        folder = path.parent if path.name == HEADER_FILE else path
        header = read_header(folder)
        counted = _count(folder, header)
        if header.complete and counted != header:
            raise SourceError(
                f"{folder / INDEX_FILE}: lists {counted.lines} lines and {counted.lost} lost from "
                f"line {counted.first_line}, {HEADER_FILE} says {header.lines} and {header.lost} "
                f"from line {header.first_line}; one of them is truncated or was changed"
            )
        if not header.complete:
            _log.warning(
                "%s: the recording was cut short; the %d lines of its whole blocks are there",
                folder,
                counted.lines,
            )
        return cls(folder, counted)

    @property
    def truth(self) -> Truth | None:
        """What is known of the web; None where the recording has no truth."""
        truth = self.header.truth
        return Truth(self.path, self.header, truth) if truth else None

    def entries(self) -> Iterator[Entry]:
        """What was recorded, in order, without touching the pixels."""
        return read_entries(self.path / INDEX_FILE)

    def blocks(self) -> Iterator[LineBlock | Loss]:
        """Blocks and losses in order.

        Raises:
            BadBlockError: a block file is missing or broken.
        """
        for entry in self.entries():
            yield entry.loss if isinstance(entry, LossEntry) else self.read(entry)

    def read(self, entry: BlockEntry) -> LineBlock:
        """The lines of one entry; ``pixels`` (count, width) is read-only and mapped.

        Raises:
            BadBlockError: the block file or its encoder ticks are missing or broken.
        """
        pixels = self._rows(entry, entry.file, self.header.dtype, self.header.width)
        encoder = None
        if entry.encoder_file is not None:
            encoder = np.array(self._rows(entry, entry.encoder_file, "int64", None))
        return LineBlock(
            pixels=pixels,
            first_line=entry.first_line,
            valid_rows=entry.count,
            host_time_ns=entry.host_time_ns,
            device_time_ns=entry.device_time_ns,
            encoder=encoder,
            flags=entry.flags,
        )

    def check_files(self) -> None:
        """Check that each block file is there, whole, and of the right shape and type.

        Raises:
            BadBlockError: one is not.
        """
        seen = ""
        for entry in self.entries():
            if isinstance(entry, BlockEntry) and entry.file != seen:
                seen = entry.file
                self.read(entry)

    def _rows(
        self, entry: BlockEntry, name: str, dtype: str, columns: int | None
    ) -> npt.NDArray[Any]:
        try:
            array = self._map(name, dtype, columns)
            if len(array) < entry.row + entry.count:
                raise ValueError(
                    f"expected at least {entry.row + entry.count} rows, found {len(array)}"
                )
        except ValueError as error:
            raise BadBlockError(
                f"{self.path / BLOCK_FOLDER / name}: bad block of {entry.count} lines from line "
                f"{entry.first_line}: {error}"
            ) from error
        return array[entry.row : entry.row + entry.count]

    def _map(self, name: str, dtype: str, columns: int | None) -> npt.NDArray[Any]:
        """A file of pixels or of ticks, mapped once for the entries that follow each other in it.

        The newest of each sort stays mapped.
        """
        sort = "ticks" if columns is None else "pixels"
        kept = self._mapped.get(sort)
        if kept is None or kept[0] != name:
            self._mapped.pop(sort, None)
            kept = name, map_array(self.path / BLOCK_FOLDER / name, dtype, columns)
            self._mapped[sort] = kept
        return kept[1]


def _count(folder: Path, header: Header) -> Header:
    """The header with the counts of what ``blocks.csv`` really lists."""
    first_line: int | None = None
    lines = lost = 0
    encoder = False
    for entry in read_entries(folder / INDEX_FILE):
        first_line = entry.first_line if first_line is None else first_line
        if isinstance(entry, LossEntry):
            lost += entry.count
        else:
            lines += entry.count
            encoder = encoder or entry.encoder_file is not None
    update = {"first_line": first_line, "lines": lines, "lost": lost, "encoder": encoder}
    return header.model_copy(update=update)
