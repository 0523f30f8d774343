"""A small recording for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linescan.records import Cause, LineBlock, Loss
from tests.recording.scans import WIDTH, Lines, block, expected_lines, write


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Lines]:
    """A recording of several files with encoder ticks and a loss, and its lines; read only."""
    path = tmp_path_factory.mktemp("recording") / "scan"
    items: list[LineBlock | Loss] = [
        block(7, 10, encoder=np.arange(10, dtype=np.int64)),
        Loss(17, 5, Cause.CAMERA_GAP, estimated=True),
        block(22, 10, encoder=np.arange(10, dtype=np.int64)),
        block(40, 3, encoder=np.arange(3, dtype=np.int64)),
    ]
    write(path, items, file_bytes=12 * WIDTH)
    return path, expected_lines(items)
