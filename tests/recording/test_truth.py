"""Truth in recordings: heights as block means in a compact type, labels, objects."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linescan.config import Pitch
from linescan.errors import SourceError
from linescan.recording import (
    Header,
    HeightEncoding,
    Recording,
    RecordingWriter,
    Truth,
    TruthObject,
    truth,
)
from linescan.recording.truth_files import block_means, decode_height, encode_height

OBJECTS = [
    TruthObject(2, "bar", 30, 40, 5, 9, 50, -0.25),
    TruthObject(1, "disc", 3, 12, 0, 8, 70, 1.5),
]


@given(
    height=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 20), st.integers(1, 20)),
        elements=st.floats(-100, 100, width=32),
    ),
    step=st.integers(1, 25),
)
def test_block_means_are_means(height: np.ndarray, step: int) -> None:
    means = block_means(height, step)
    for row in range(means.shape[0]):
        for column in range(means.shape[1]):
            cell = height[row * step : (row + 1) * step, column * step : (column + 1) * step]
            assert means[row, column] == pytest.approx(cell.mean(dtype=np.float64), abs=1e-4)
    assert means.shape == (-(-height.shape[0] // step), -(-height.shape[1] // step))


@pytest.mark.parametrize(
    ("encoding", "error"),
    [
        (HeightEncoding(), 0.0),
        (HeightEncoding(dtype="float16"), 20 * 2**-11),
        (HeightEncoding(dtype="uint16", scale=0.001, offset=-20.0), 0.0005 + 1e-6),
    ],
)
def test_heights_come_back_within_their_encoding(encoding: HeightEncoding, error: float) -> None:
    height = np.random.default_rng(0).uniform(-20, 20, (50, 60)).astype(np.float32)
    height[3, 4] = np.nan
    stored = encode_height(height, encoding)
    assert stored.dtype == encoding.dtype
    back = decode_height(stored, encoding)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, height, rtol=0, atol=error)


@pytest.mark.parametrize(
    "encoding",
    [
        HeightEncoding(dtype="uint16", scale=0.001),  # negative heights
        HeightEncoding(dtype="uint16", scale=0.0001, offset=-3.0),  # too high
        HeightEncoding(dtype="float16", scale=1e-5),
    ],
)
def test_heights_that_do_not_fit_are_refused(encoding: HeightEncoding) -> None:
    with pytest.raises(SourceError, match=r"-2 to 8 mm do not fit .* choose a larger scale"):
        encode_height(np.array([[-2, 8]], np.float32), encoding)


def record(path: Path, step: int, cuts: list[int]) -> tuple[Truth, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    height = rng.normal(0, 1, (cuts[-1], 30)).astype(np.float32)
    labels = rng.integers(0, 65536, (cuts[-1], 30), dtype=np.uint16)
    header = Header(width=30, dtype="uint8", bits=8, pitch=Pitch(across_mm=0.1, along_mm=0.2))
    with RecordingWriter(path, header, truth=HeightEncoding(step=step)) as writer:
        for first, end in zip([0, *cuts], cuts, strict=False):
            writer.append_truth(100 + first, height[first:end], labels[first:end])
        writer.append_objects(OBJECTS[:1])
        writer.append_objects(OBJECTS[1:])
    found = Recording.open(path).truth
    assert found is not None
    return found, height, labels


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "PIECE_PIXELS", 30 * 12)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("_small_pieces")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_stretch_of_truth(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    step = data.draw(st.sampled_from([1, 3, 4]))
    cuts = sorted(data.draw(st.sets(st.integers(1, 50), min_size=1, max_size=5)))
    found, height, labels = record(tmp_path_factory.mktemp("truth") / "scan", step, cuts)
    first = data.draw(st.integers(0, cuts[-1] - 1))
    count = data.draw(st.integers(1, cuts[-1] - first))
    np.testing.assert_array_equal(found.labels(100 + first, count), labels[first : first + count])
    values, web = found.height(100 + first, count)
    rows = slice(first // step, -(-(first + count) // step))
    np.testing.assert_allclose(values, block_means(height, step)[rows], atol=1e-6)
    assert web.line_offset == 100 + first // step * step + (step - 1) / 2
    assert (web.line_step, web.column_step) == (step, step)
    assert web.column_offset == (step - 1) / 2
    assert (web.mm_per_line, web.mm_per_column) == (0.2, 0.1)


@pytest.mark.usefixtures("_small_pieces")
def test_truth_lies_in_small_files_that_any_tool_reads(tmp_path: Path) -> None:
    found, height, _ = record(tmp_path / "scan", 4, [30])
    assert found.header.piece_lines == 12
    files = sorted((tmp_path / "scan" / "truth" / "height").iterdir())
    assert [f.name for f in files] == ["000000.npy", "000001.npy", "000002.npy"]
    np.testing.assert_allclose(np.load(files[1])[0, 0], height[12:16, :4].mean(), atol=1e-6)
    assert found.objects() == [OBJECTS[1], OBJECTS[0]]
    text = (tmp_path / "scan" / "truth" / "objects.csv").read_text()
    assert text.startswith("id,kind,first_line,last_line,first_column,last_column,area_px,peak_mm")


@pytest.mark.usefixtures("_small_pieces")
def test_broken_truth_is_named(tmp_path: Path) -> None:
    found, _, _ = record(tmp_path / "scan", 4, [30])
    folder = tmp_path / "scan" / "truth"
    with pytest.raises(SourceError, match="lines 99 to 100 have no truth; it begins at 100"):
        found.height(99, 2)
    with pytest.raises(SourceError, match="no truth"):
        found.labels(120, 11)
    os.truncate(folder / "height" / "000001.npy", 130)
    with pytest.raises(SourceError, match=r"height/000001\.npy: the file is truncated"):
        found.height(100, 30)
    assert len(found.height(100, 12)[0]) == 3
    png = (folder / "labels" / "000000.png").read_bytes()
    (folder / "labels" / "000000.png").write_bytes(png[:60])
    with pytest.raises(SourceError, match=r"labels/000000\.png: expected a whole 16-bit"):
        found.labels(100, 1)
    (folder / "labels" / "000001.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"labels/000001\.png"):
        found.labels(112, 1)
    (folder / "objects.csv").write_text("id,kind\n1,disc\n")
    with pytest.raises(SourceError, match=r"objects\.csv: the true objects cannot be read"):
        found.objects()


def test_truth_must_go_on(tmp_path: Path) -> None:
    header = Header(width=8, dtype="uint8", bits=8)
    rows = np.zeros((4, 8), np.float32)
    with RecordingWriter(tmp_path / "scan", header, truth=HeightEncoding()) as writer:
        writer.append_truth(0, rows)
        with pytest.raises(ValueError, match="must go on at line 4, got 5"):
            writer.append_truth(5, rows)
        with pytest.raises(ValueError, match="must go on"):
            writer.append_truth(4, rows, np.zeros((4, 8), np.uint16))
    found = Recording.open(tmp_path / "scan").truth
    assert found is not None
    assert not found.header.labels
    assert found.objects() == []
    with pytest.raises(SourceError, match="has no true labels"):
        found.labels(0, 1)
