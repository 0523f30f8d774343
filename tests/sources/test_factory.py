"""From a configuration or a path to a source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from linescan.config import ImagesSource, RecordingSource, SimulatedSource
from linescan.errors import SourceError
from linescan.recording import Header, RecordingWriter
from linescan.sources import guess_source, open_source
from linescan.sources.images import ImagesPlayer
from linescan.sources.recording import RecordingPlayer
from linescan.sources.simulated import SimulatedCamera
from tests.sources.helpers import save


def test_each_section_has_its_source() -> None:
    path = Path("x")
    assert isinstance(open_source(RecordingSource(path=path)), RecordingPlayer)
    assert isinstance(open_source(ImagesSource(path=path)), ImagesPlayer)
    assert isinstance(open_source(SimulatedSource()), SimulatedCamera)


def test_a_source_imports_only_what_it_needs() -> None:
    program = """
import sys
from pathlib import Path
from linescan.config import RecordingSource
from linescan.sources import open_source
open_source(RecordingSource(path=Path("x")))
heavy = {"cv2", "harvesters", "genicam", "scipy", "onnxruntime", "torch", "linescan.simulation"}
sys.exit(", ".join(heavy & set(sys.modules)) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_guess_from_a_path(tmp_path: Path) -> None:
    scan, photos = tmp_path / "scan", tmp_path / "photos"
    with RecordingWriter(scan, Header(width=4, dtype="uint8", bits=8)):
        pass
    photos.mkdir()
    photo = save(photos / "a.PNG", np.zeros((2, 4), np.uint8))
    assert guess_source(scan) == RecordingSource(path=scan)
    assert isinstance(guess_source(scan / "recording.yaml"), RecordingSource)
    assert guess_source(photos) == ImagesSource(path=photos)
    assert guess_source(photo) == ImagesSource(path=photo)


def test_a_path_that_is_neither_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"notes\.txt: neither a recording nor a PNG, TIFF"):
        guess_source(tmp_path / "notes.txt")
    with pytest.raises(SourceError, match=r"neither a recording \(it has no recording\.yaml\) nor"):
        guess_source(tmp_path)
    with pytest.raises(SourceError, match="no such recording, folder of images or image"):
        guess_source(tmp_path / "missing")
