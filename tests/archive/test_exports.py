"""Exports read back by the libraries that others use, and compared with what was journalled."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from mcap.reader import make_reader

from linescan.archive import FORMATS, Selection, open_exporter, select
from linescan.archive.mcap import join, split
from linescan.archive.rows import COLUMNS
from linescan.archive.selection import entries
from linescan.errors import JournalError, LinescanError, ProtocolError
from linescan.journal import Entry, JournalReader
from linescan.pictures import read_depth16
from linescan.protocol import InspectionMessage, Kind, decode
from tests.archive.exporting import export
from tests.journal.entries import EPOCH
from tests.journal.runs import SECOND, keep, run

OTHER = "ffffffff-0000-4000-8000-000000000002"


def decoded(found: Sequence[Entry]) -> list[InspectionMessage]:
    messages = [decode(entry.frames) for entry in found]
    return [message for message in messages if isinstance(message, InspectionMessage)]


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, list[Entry]]:
    found = [*run(6), *run(4, epoch=OTHER, at_ns=100 * SECOND)]
    keep(tmp_path / "journal", found)
    return tmp_path / "journal", found


def test_mcap_holds_every_byte(kept: tuple[Path, list[Entry]], tmp_path: Path) -> None:
    folder, found = kept
    assert export(folder, "mcap", tmp_path / "x.mcap") == len(found)
    by_key = {(e.key.epoch, e.key.kind, e.key.seq): e for e in found}
    with (tmp_path / "x.mcap").open("rb") as file:
        reader = make_reader(file)
        messages = list(reader.iter_messages())
        assert reader.get_summary() is not None
    assert len(messages) == 2 * len(found)
    for schema, channel, message in messages:
        about = channel.metadata
        entry = by_key[about["epoch"], Kind(about["kind"]), message.sequence]
        assert message.log_time == entry.published_ns
        if channel.message_encoding == "json":
            assert schema is not None
            assert channel.topic == f"{entry.frames[0].decode()}header"  # type: ignore[union-attr]
            assert message.data == entry.frames[1]
        else:
            assert split(message.data) == list(entry.frames)


@pytest.mark.parametrize("frames", [[], [b""], [b"a", b"", b"bc" * 1000]])
def test_frames_joined_and_split(frames: list[bytes]) -> None:
    assert split(join(frames)) == frames


@pytest.mark.parametrize("data", [b"1", b"\x05" + bytes(7) + b"abcd", join([b"x"]) + b"\0"])
def test_what_was_not_joined_is_not_split(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        split(data)


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_objects_as_rows(kept: tuple[Path, list[Entry]], tmp_path: Path, to: str) -> None:
    folder, found = kept
    out = tmp_path / f"x.{to}"
    expected = [(m, o) for m in decoded(found) for o in m.objects]
    assert export(folder, to, out) == len(expected) > 5
    if to == "csv":
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(out).to_pylist()
    assert list(rows[0]) == list(COLUMNS)
    for row, (message, obj) in zip(rows, expected, strict=True):
        assert (row["epoch"], row["camera"]) == (message.epoch, message.camera)
        assert (int(row["seq"]), int(row["id"])) == (message.seq, obj.id)
        assert int(row["first_line"]) == obj.first_line
        assert math.isclose(float(row["mean_height"]), obj.mean_height)
        assert int(row["published_ns"]) == message.published_ns
        assert str(row["touches_end"]) == str(obj.touches_end)


def test_many_rows_are_written_in_groups(
    kept: tuple[Path, list[Entry]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linescan.archive import parquet

    monkeypatch.setattr(parquet, "ROWS", 3)
    written = export(kept[0], "parquet", tmp_path / "x.parquet")
    file = pq.ParquetFile(tmp_path / "x.parquet")
    assert file.metadata.num_rows == written
    assert file.metadata.num_row_groups >= written // 4


def test_no_objects_at_all(tmp_path: Path) -> None:
    keep(tmp_path / "journal", run(1))
    for to in ("csv", "parquet"):
        assert export(tmp_path / "journal", to, tmp_path / f"x.{to}") == 0
    assert pq.read_table(tmp_path / "x.parquet").column_names == list(COLUMNS)


def test_headers_as_json_lines(kept: tuple[Path, list[Entry]], tmp_path: Path) -> None:
    folder, found = kept
    export(folder, "jsonl", tmp_path / "x.jsonl")
    lines = (tmp_path / "x.jsonl").read_bytes().splitlines()
    assert sorted(lines) == sorted(bytes(entry.frames[1]) for entry in found)
    assert json.loads(lines[0])["schema"] == "linescan"


@pytest.mark.parametrize("to", ["png", "tiff"])
def test_pictures(kept: tuple[Path, list[Entry]], tmp_path: Path, to: str) -> None:
    folder, found = kept
    out = tmp_path / "pictures"
    assert export(folder, to, out, Selection(epoch=OTHER[:4])) == 4
    assert len(list(out.iterdir())) == 4 * (4 if to == "png" else 3)
    for message in decoded(found)[6:]:
        stem = f"web-1_ffffffff_{message.seq:08d}"
        labels = cv2.imread(str(out / f"{stem}_labels.png"), cv2.IMREAD_UNCHANGED)
        assert labels is not None
        assert message.labels is not None
        assert message.depth is not None
        np.testing.assert_array_equal(labels, message.labels)
        assert json.loads((out / f"{stem}_header.json").read_text())["seq"] == message.seq
        if to == "tiff":
            depth = cv2.imread(str(out / f"{stem}_depth.tiff"), cv2.IMREAD_UNCHANGED)
            assert depth is not None
            assert depth.dtype == np.float32
            np.testing.assert_array_equal(depth, message.depth)
        else:
            read, about = read_depth16(out / f"{stem}_depth.png")
            assert about["epoch"] == OTHER
            assert np.allclose(read.values, message.depth, atol=1 / 65000)


def test_pictures_of_what_has_no_depth(tmp_path: Path) -> None:
    keep(tmp_path / "journal", run(1, with_depth=False))
    with pytest.raises(LinescanError, match=r"no depth .* export to mcap or jsonl"):
        export(tmp_path / "journal", "png", tmp_path / "x")


SELECTIONS = [
    (Selection(epoch=EPOCH[:8]), range(6)),
    (Selection(epoch="last"), range(10, 14)),
    (Selection(first=2, last=3), [2, 3, 12, 13]),
    (Selection(from_ns=3 * SECOND, until_ns=5 * SECOND), [2, 3]),
    (Selection(from_ns=103 * SECOND), [12, 13]),
    (Selection(camera="web-1", epoch="last", last=0), [10]),
]


@pytest.mark.parametrize(("selection", "expected"), SELECTIONS)
def test_selections(
    kept: tuple[Path, list[Entry]], selection: Selection, expected: Sequence[int]
) -> None:
    reader = JournalReader(kept[0])
    parts = select(reader, selection, [Kind.INSPECTION])
    found = [entry.key for part in parts for entry in entries(reader, part, selection)]
    assert [key.seq + 10 * (key.epoch == OTHER) for key in found] == list(expected)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(epoch="abc"),
        Selection(camera="web-2"),
        Selection(first=100),
        Selection(from_ns=10**18),
        Selection(until_ns=0),
    ],
)
def test_a_selection_of_nothing_says_what_there_is(
    kept: tuple[Path, list[Entry]], selection: Selection
) -> None:
    with pytest.raises(JournalError, match="it holds cameras web-1 and epochs 00000000"):
        select(JournalReader(kept[0]), selection, [Kind.INSPECTION])


def test_an_epoch_must_be_one(tmp_path: Path) -> None:
    keep(tmp_path, [*run(1, epoch="aa1"), *run(1, epoch="aa2"), *run(1, epoch="aa")])
    reader = JournalReader(tmp_path)
    with pytest.raises(JournalError, match="epoch a: 3 begin like that"):
        select(reader, Selection(epoch="a"), [Kind.EVENT])
    assert len(select(reader, Selection(epoch="aa"), [Kind.EVENT])) == 1


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_is_replaced_unasked(tmp_path: Path, to: str) -> None:
    out = tmp_path / "x"
    if FORMATS[to].is_folder:
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        out.write_text("mine")
    with pytest.raises(JournalError, match="there is something already"):
        open_exporter(to, out)
    exporter = open_exporter(to, out, overwrite=True)
    exporter.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (out / "mine" if out.is_dir() else out).read_text() == "mine"


def test_a_file_for_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="mcap is one file"):
        open_exporter("mcap", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="png needs a folder"):
        open_exporter("png", tmp_path / "file", overwrite=True)
    with pytest.raises(JournalError, match="expected one of mcap"):
        open_exporter("xlsx", tmp_path / "x")
