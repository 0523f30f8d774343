"""Complete objects of a journal as tables: each once, with the values that were published."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from linescan.archive import open_exporter
from linescan.archive.rows import WHOLE_COLUMNS
from linescan.errors import JournalError
from linescan.journal import Entry, Key
from linescan.protocol import Kind, Stamp, encode, encode_completed, encode_start
from linescan.records import Completed
from linescan.whole import Cut, WholeObject
from tests.archive.exporting import export
from tests.journal.entries import EPOCH
from tests.journal.runs import keep, run
from tests.protocol.samples import inspection

TABLES = ["whole-csv", "whole-parquet"]
WHOLE = WholeObject(
    track=7,
    first_line=40,
    line_count=90,
    first_column=3,
    column_count=12,
    area_px=811.5,
    mean_height=0.25,
    max_height=-0.75,
    volume_px=202.875,
    elongation=7.5,
    extent=0.75,
)
FULL = replace(
    WHOLE,
    track=2**53 - 1,
    cut=Cut.START | Cut.GAP,
    merged=(8, 19),
    area_mm2=40.575,
    volume_mm3=10.5,
)
UNKNOWN = replace(WHOLE, track=9, mean_height=math.nan, max_height=math.inf, cut=Cut.OTHER)


def completing(*objects: WholeObject, seq: int) -> Entry:
    """An inspection that completes objects, beside two that are its own."""
    made = inspection(64 * seq, objects=2)
    assert made.segmentation is not None
    made = replace(made, segmentation=replace(made.segmentation, completed=objects))
    frames = encode(made, Kind.INSPECTION, Stamp("web-1", EPOCH, seq, 1000 + seq))
    assert frames is not None
    return Entry(Key(EPOCH, "web-1", Kind.INSPECTION, seq), 1000 + seq, tuple(map(bytes, frames)))


def event(seq: int, *objects: WholeObject) -> Entry:
    """The event that completes objects; without any, another one."""
    stamp = Stamp("web-1", EPOCH, seq, 2000 + seq)
    frames = encode_start(stamp, software="tests", settings={}, settings_sha256="")
    if objects:
        frames = encode_completed(Completed(objects, "mm"), stamp)
    return Entry(Key(EPOCH, "web-1", Kind.EVENT, seq), 2000 + seq, tuple(map(bytes, frames)))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Objects that were completed by frames, by none, and by an event."""
    folder = tmp_path / "journal"
    frames = [completing(seq=0), completing(WHOLE, FULL, seq=1), completing(UNKNOWN, seq=2)]
    keep(folder, [event(0), *frames, event(1, replace(WHOLE, track=10), replace(FULL, track=11))])
    return folder


def table(path: Path) -> list[dict[str, Any]]:
    """Rows with the types that the columns have; None where a cell is empty."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {
                name: kind(row[name]) if row[name] or kind is str else None
                for name, kind in WHOLE_COLUMNS.items()
            }
            for row in csv.DictReader(file)
        ]


def reported(kind: str, seq: int, published_ns: int, unit: str, found: WholeObject) -> list[Any]:
    """The row of an object, written down by hand."""
    return [
        *(EPOCH, "web-1", kind, seq, published_ns, unit),
        *(found.track, found.first_line, found.line_count),
        *(found.first_column, found.column_count),
        *(found.area_px, found.area_mm2, found.volume_px, found.volume_mm3),
        *(found.mean_height, found.max_height, found.elongation, found.extent),
        {Cut.NONE: "", Cut.OTHER: "other"}.get(found.cut, "start gap"),
        "8 19" if found.merged else "",
    ]


def same(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    return all(
        a == b
        or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("to", TABLES)
def test_a_row_for_each_with_all_its_values(journal: Path, tmp_path: Path, to: str) -> None:
    out = tmp_path / f"x.{to.removeprefix('whole-')}"
    expected = [
        reported("inspection", 1, 1001, "relative", WHOLE),
        reported("inspection", 1, 1001, "relative", FULL),
        # What is not finite is null in the header, and no number when it is read again.
        reported("inspection", 2, 1002, "relative", replace(UNKNOWN, max_height=math.nan)),
        reported("event", 1, 2001, "mm", replace(WHOLE, track=10)),
        reported("event", 1, 2001, "mm", replace(FULL, track=11)),
    ]
    assert export(journal, to, out) == len(expected)
    rows = sorted(table(out), key=lambda row: (row["kind"] == "event", row["seq"]))
    assert [list(row) for row in rows] == [list(WHOLE_COLUMNS)] * len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        assert same(list(row.values()), wanted), (row, wanted)


@pytest.mark.parametrize("to", TABLES)
def test_a_run_that_completes_nothing_gives_the_names_alone(tmp_path: Path, to: str) -> None:
    keep(tmp_path / "journal", run(3))
    out = tmp_path / "x"
    assert export(tmp_path / "journal", to, out) == 0
    if to == "whole-csv":
        assert out.read_text(encoding="utf-8").strip().split(",") == list(WHOLE_COLUMNS)
    else:
        found = pq.read_table(out)
        assert (found.num_rows, found.column_names) == (0, list(WHOLE_COLUMNS))
        assert [str(kind) for kind in found.schema.types[:5]] == ["string"] * 3 + ["int64"] * 2


@pytest.mark.parametrize("to", TABLES)
def test_an_empty_journal_says_so_and_leaves_no_file(tmp_path: Path, to: str) -> None:
    keep(tmp_path / "journal", [])
    with pytest.raises(JournalError, match="it holds cameras none and epochs none"):
        export(tmp_path / "journal", to, tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_the_name_of_the_file_that_is_proposed(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"such as .*/scan\.parquet$"):
        open_exporter("whole-parquet", tmp_path)
