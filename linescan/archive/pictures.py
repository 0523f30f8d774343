"""Depth and labels of each inspection as pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from linescan.archive.rows import inspection
from linescan.errors import JournalError
from linescan.journal import Entry
from linescan.pictures import write_depth16
from linescan.pictures.files import encode_png, write_whole
from linescan.pictures.opencv import load_cv2
from linescan.protocol import InspectionMessage


class PictureExporter:
    """Files ``CAMERA_EPOCH_SEQ_….png`` in a folder; the epoch by its first 8 letters.

    ``png``: ``_depth.png``, 16 bit, with scale and offset in ``_depth.json``. ``tiff``:
    ``_depth.tiff``, float32, NaN where nothing is known. Both: ``_labels.png``, 16 bit, 0 for the
    background, and ``_header.json``, the header of the message.
    """

    unit = "inspections"

    def __init__(self, out: Path, to: str) -> None:
        self.written = 0
        self._out = out
        self._as_tiff = to == "tiff"
        load_cv2()

    def take(self, entry: Entry) -> None:
        """Write one inspection.

        Raises:
            JournalError: it has no depth.
            LinescanError: a picture cannot be written.
        """
        message = inspection(entry)
        if message.depth_map is None:
            raise JournalError(
                f"{entry.key}: it has no depth (depth.enabled: false): export to mcap or jsonl"
            )
        stem = f"{message.camera}_{message.epoch[:8]}_{message.seq:08d}"
        header = {str(key): value for key, value in message.header.items()}
        self._write(f"{stem}_header.json", (json.dumps(header, indent=2) + "\n").encode())
        if message.labels is not None:
            self._write(f"{stem}_labels.png", encode_png(message.labels))
        if self._as_tiff:
            self._write(f"{stem}_depth.tiff", _tiff(message))
        else:
            about: dict[str, Any] = {
                "camera": message.camera,
                "epoch": message.epoch,
                "seq": message.seq,
                "first_line": message.first_line,
                "line_count": message.line_count,
            }
            write_depth16(self._out / f"{stem}_depth.png", message.depth_map, about=about)
        self.written += 1

    def close(self) -> None:
        """Nothing is left to do."""

    def discard(self) -> None:
        """What is written is whole, and stays."""

    def _write(self, name: str, data: bytes) -> None:
        write_whole(self._out / name, data)


def _tiff(message: InspectionMessage) -> bytes:
    cv2 = load_cv2()
    done, data = cv2.imencode(".tiff", np.ascontiguousarray(message.depth, np.float32))
    if not done:
        raise JournalError(f"OpenCV cannot encode the depth of inspection {message.seq} as TIFF")
    return bytes(data)
