"""Chunk data: switched on at the start, read from each block before its buffer is queued."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from linescan.config import GenicamSource
from linescan.sources.genicam.features import find, one_line
from linescan.sources.genicam.messages import Evidence
from linescan.sources.genicam.payload import optional
from linescan.sources.genicam.positions import Positions

COUNTER = ("ChunkLineCounter", "ChunkLineCount", "ChunkScanLineCounter", "ChunkLinesCounter")
ENCODER = ("ChunkEncoderValue", "ChunkShaftEncoderCounter", "ChunkEncoderCounter")
SCAN_LINE = ("ChunkScanLineSelector",)
ROWS = ("ChunkScanLineCount", "ChunkDeliveredHeight")
OVERRUNS = ("ChunkTriggerOverruns", "ChunkLineTriggerIgnoredCounter", "ChunkLineTriggerOverruns")
TIMESTAMP = ("ChunkTimestamp", "ChunkTimeStamp")
FRAME_ID = ("ChunkFrameID", "ChunkBlockID")
KNOWN = tuple(
    name.removeprefix("Chunk")
    for names in (COUNTER, ENCODER, ROWS, OVERRUNS, TIMESTAMP, FRAME_ID)
    for name in names
)
"""Values of ChunkSelector that are evidence."""


def enable_chunks(node_map: Any, section: GenicamSource) -> tuple[str, ...]:
    """Switch on the chunks that are evidence and those that are asked for.

    Returns:
        What could not be switched on, for the log.
    """
    if not section.chunks.enabled:
        return ()
    if find(node_map, ("ChunkModeActive",)) is None or find(node_map, ("ChunkSelector",)) is None:
        missing = section.chunks.more
        return tuple(f"the camera has no chunks: {name} is not to be had" for name in missing)
    failed = []
    try:
        node_map.ChunkModeActive.value = True
        there = tuple(node_map.ChunkSelector.symbolics)
    except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
        return (f"chunk data cannot be switched on: {one_line(error)}",)
    for name in dict.fromkeys((*KNOWN, *section.chunks.more)):
        try:
            if name in there:
                node_map.ChunkSelector.value = name
                node_map.ChunkEnable.value = True
            elif name in section.chunks.more:
                failed.append(f"the camera has no chunk {name}; it has {', '.join(there)}")
        except Exception as error:  # noqa: BLE001 - some chunks are always on, and read-only
            if name in section.chunks.more:
                failed.append(f"chunk {name} cannot be switched on: {one_line(error)}")
    return tuple(failed)


class ChunkReader:
    """Reads what a block's chunks and GenTL say; chunks that the camera has not are left out."""

    def __init__(self, node_map: Any, *, every_line: bool) -> None:
        self._counter = find(node_map, COUNTER)
        self._encoder = find(node_map, ENCODER)
        self._line = find(node_map, SCAN_LINE)
        self._rows = find(node_map, ROWS)
        self._overruns = find(node_map, OVERRUNS)
        self._time = find(node_map, TIMESTAMP)
        self._id = find(node_map, FRAME_ID)
        self._every_line = every_line and self._line is not None
        self._positions = Positions(self._tick)

    def evidence(self, buffer: Any, rows: int, *, fresh: bool, under_runs: int) -> Evidence:
        """All there is to know of a block's lines.

        Args:
            buffer: the raw GenTL buffer; its chunks are attached.
            rows: rows that its image has.
            fresh: the block had not waited.
            under_runs: blocks that the producer dropped so far.
        """
        host_ns, at_ns = time.time_ns(), time.monotonic_ns()
        said = _value(self._rows)
        rows = min(rows, said) if said is not None and said > 0 else rows
        block_id = optional(buffer, "frame_id")
        stamp = optional(buffer, "timestamp_ns")
        return Evidence(
            rows=rows,
            host_ns=host_ns,
            at_ns=at_ns,
            block_id=_value(self._id) if block_id is None else block_id,
            counter=_value(self._counter),
            ticks=self._ticks(rows),
            both_ends=self._line is not None or rows == 1,
            overruns=_value(self._overruns),
            device_ns=_value(self._time) if stamp is None else stamp,
            fresh=fresh,
            under_runs=under_runs,
        )

    def encoder(self, memory: Any, rows: int) -> npt.NDArray[np.int64] | None:
        """(rows,) positions, where every line's is to be read and the camera has them.

        Args:
            memory: the buffer's bytes; its chunks are attached.
            rows: lines of the block.
        """
        return self._positions.read(memory, rows) if self._every_line else None

    def _ticks(self, rows: int) -> tuple[int, int] | None:
        if self._line is None:
            first = _value(self._encoder)
            return None if first is None else (first, first)
        read: Callable[[int], int | None] = self._tick
        first, last = read(0), read(rows - 1)
        return None if first is None or last is None else (first, last)

    def _tick(self, row: int) -> int | None:
        try:
            self._line.value = row  # type: ignore[union-attr]
            return int(self._encoder.value)  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - the block has no such chunk
            return None


def _value(node: Any | None) -> int | None:
    """A chunk's value; None where the block does not carry it."""
    try:
        return None if node is None else int(node.value)
    except Exception:  # noqa: BLE001 - GenApi says so by an error
        return None
