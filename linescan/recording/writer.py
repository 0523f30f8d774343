"""Writes a recording: bounded memory, and readable up to the last whole block after a crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from linescan.errors import SourceError
from linescan.recording.entries import (
    BLOCK_FOLDER,
    HEADER_ROW,
    INDEX_FILE,
    BlockEntry,
    Entry,
    LossEntry,
)
from linescan.recording.files import append_rows, write_array, write_error
from linescan.recording.folder import make_folder
from linescan.recording.header import Header, HeightEncoding, write_header
from linescan.recording.truth import TruthObject, TruthWriter
from linescan.records import FloatArray, GrayArray, LabelArray, LineBlock, Loss

FILE_BYTES = 16 * 2**20
"""Pixels that one block file holds, about; also the memory that the writer needs."""
FILE_SECONDS = 2.0
"""A block file is written when its first lines have waited so long, however few there are."""
MAX_PENDING = 65536
"""Entries that wait for their block file, at most."""

NOTHING_YET = {
    "complete": False,
    "first_line": None,
    "lines": 0,
    "lost": 0,
    "encoder": False,
    "truth": None,
}
"""What the writer counts itself, whatever the header it was given says."""


class RecordingWriter:
    """Writes blocks and losses as they come. Use it as a context manager, from one thread.

    Lines wait in memory until about 16 MB or two seconds have come together; a crash of the program
    loses no more than that. Rows beyond ``valid_rows`` are no lines and are not kept.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        *,
        overwrite: bool = False,
        truth: HeightEncoding | None = None,
        file_bytes: int = FILE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin a recording.

        Args:
            path: its folder; made where it is missing.
            header: what the recording holds; the writer fills in what it counts.
            overwrite: replace a recording that is already there (and nothing else).
            truth: how true heights are stored, where ``append_truth`` will give them.
            file_bytes: pixels in a block file, at most.
            clock: seconds.

        Raises:
            SourceError: something is there already, or the folder cannot be written.
        """
        self.path = path
        self.header = header.model_copy(update=NOTHING_YET)
        row_bytes = header.width * np.dtype(header.dtype).itemsize
        self._capacity = max(1, file_bytes // row_bytes)
        self._pixels: GrayArray = np.empty((self._capacity, header.width), header.dtype)
        self._encoder = np.empty(self._capacity, np.int64)
        self._filled = 0
        self._with_encoder = False
        self._pending: list[Entry] = []
        self._pending_since = 0.0
        self._clock = clock
        self._files = 0
        self._next_line: int | None = None
        self._failed = False
        self._index: int | None = None
        try:
            make_folder(path, overwrite=overwrite)
            write_header(path, self.header)
            self._index = os.open(path / INDEX_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            append_rows(self._index, HEADER_ROW.encode())
            self._truth = TruthWriter(path, header.width, truth) if truth else None
        except OSError as error:
            self._close_index()
            raise write_error(path, error, file_bytes) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._close(complete=error is None)
        except SourceError:
            if error is None:
                raise

    def append(self, item: LineBlock | Loss) -> None:
        """Add a block of lines or a loss; lines only go up.

        Raises:
            SourceError: the block does not fit the recording, a line number comes again, or the
                disk is full; the lines since the last block file are then not in the recording.
        """
        if self._failed:
            raise SourceError(f"{self.path}: the recording stopped at an earlier error")
        count = item.count if isinstance(item, Loss) else item.valid_rows
        if count < 1:
            return
        if self._next_line is not None and item.first_line < self._next_line:
            raise SourceError(
                f"{self.path}: cannot record line {item.first_line}: expected "
                f"{self._next_line} or later"
            )
        if not self._pending:
            self._pending_since = self._clock()
        if isinstance(item, Loss):
            self._pending.append(LossEntry(item))
        else:
            self._append_block(item)
        self._next_line = item.first_line + count
        if self._filled == self._capacity or len(self._pending) >= MAX_PENDING:
            self.flush()
        self.flush_late()

    def append_truth(
        self, first_line: int, height: FloatArray, labels: LabelArray | None = None
    ) -> None:
        """Add true heights (rows, width) in mm and object ids of lines that follow the last ones.

        Raises:
            ValueError: the lines do not follow, or the recording was begun without ``truth``.
            SourceError: a height does not fit its encoding, or the disk is full.
        """
        if self._truth is None:
            raise ValueError("the recording was begun without truth")
        try:
            self._truth.append(first_line, height, labels)
        except OSError as error:
            raise self._fail(error) from error

    def append_objects(self, objects: Iterable[TruthObject]) -> None:
        """Add true objects.

        Raises:
            ValueError: the recording was begun without ``truth``.
            SourceError: the disk is full.
        """
        if self._truth is None:
            raise ValueError("the recording was begun without truth")
        try:
            self._truth.append_objects(objects)
        except OSError as error:
            raise self._fail(error) from error

    def flush_late(self) -> None:
        """Bring to the disk what has waited for two seconds.

        ``append`` does so by itself; call it while nothing comes, see ``Prompt``.

        Raises:
            SourceError: the disk is full or broken.
        """
        if self._pending and self._clock() - self._pending_since > FILE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring all lines given so far to the disk.

        Raises:
            SourceError: the disk is full or broken.
        """
        if self._index is None or self._failed or not self._pending:
            return
        name = self.path / BLOCK_FOLDER / f"{self._files:06d}"
        try:
            if self._filled:
                write_array(name.with_suffix(".npy"), self._pixels[: self._filled])
                if self._with_encoder:
                    write_array(name.with_suffix(".encoder.npy"), self._encoder[: self._filled])
            append_rows(self._index, "".join(entry.to_row() for entry in self._pending).encode())
        except OSError as error:
            raise self._fail(error) from error
        self._count_pending()
        self._files += bool(self._filled)
        self._filled = 0
        self._pending.clear()

    def close(self) -> None:
        """Finish the recording; more calls do nothing.

        Raises:
            SourceError: the rest cannot be written; what was written before stays readable.
        """
        self._close(complete=True)

    def _close(self, *, complete: bool) -> None:
        """Finish; what ended in an error is kept, and says that it is not complete."""
        if self._index is None:
            return
        try:
            self.flush()
            if not self._failed:
                truth = self._truth.finish() if self._truth else None
                update = {"complete": complete, "truth": truth}
                self.header = self.header.model_copy(update=update)
                write_header(self.path, self.header)
        except OSError as error:
            raise self._fail(error) from error
        finally:
            self._close_index()

    def _append_block(self, block: LineBlock) -> None:
        pixels = block.pixels
        if pixels.dtype != self._pixels.dtype or pixels.shape[1:] != self._pixels.shape[1:]:
            raise SourceError(
                f"{self.path}: cannot record the block at line {block.first_line}: it has "
                f"{pixels.shape[-1]} pixels of {pixels.dtype}, the recording "
                f"{self.header.width} of {self.header.dtype}"
            )
        with_encoder = block.encoder is not None
        if self._filled and (
            with_encoder != self._with_encoder or self._filled + block.valid_rows > self._capacity
        ):
            self.flush()
            self._pending_since = self._clock()
        self._with_encoder = with_encoder
        done = 0
        while done < block.valid_rows:
            take = min(block.valid_rows - done, self._capacity - self._filled)
            self._take(block, done, take)
            done += take
            if done < block.valid_rows:
                self.flush()

    def _take(self, block: LineBlock, start: int, count: int) -> None:
        """Copy rows of a block that fit the file; a camera's ring may reuse the block's memory."""
        here = slice(self._filled, self._filled + count)
        self._pixels[here] = block.pixels[start : start + count]
        if block.encoder is not None:
            self._encoder[here] = block.encoder[start : start + count]
        name = f"{self._files:06d}"
        self._pending.append(
            BlockEntry(
                first_line=block.first_line + start,
                count=count,
                file=f"{name}.npy",
                row=self._filled,
                host_time_ns=block.host_time_ns,
                device_time_ns=block.device_time_ns,
                encoder_file=f"{name}.encoder.npy" if block.encoder is not None else None,
                flags=block.flags,
            )
        )
        self._filled += count

    def _count_pending(self) -> None:
        header = self.header
        lost = sum(entry.count for entry in self._pending if isinstance(entry, LossEntry))
        first = header.first_line
        update = {
            "first_line": self._pending[0].first_line if first is None else first,
            "lines": header.lines + self._filled,
            "lost": header.lost + lost,
            "encoder": header.encoder or (self._filled > 0 and self._with_encoder),
        }
        self.header = header.model_copy(update=update)

    def _fail(self, error: OSError) -> SourceError:
        self._failed = True
        return write_error(self.path, error, self._pixels.nbytes)

    def _close_index(self) -> None:
        if self._index is not None:
            os.close(self._index)
            self._index = None
