"""``linescan journal`` as users run it, on journals that a pipeline has written."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from linescan.cli.units import duration_ns, moment_ns, name_size, size_bytes
from linescan.errors import LinescanError
from linescan.journal import Acknowledgements, JournalWriter
from linescan.journal.folder import Folder
from linescan.protocol import Kind
from tests.cli.conftest import FRAMES_ONLY, Result, Start
from tests.journal.entries import EPOCH, put, section
from tests.journal.runs import keep, run

Run = Callable[..., Result]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two runs of five inspections; and somebody has acknowledged some."""
    folder = tmp_path / "journal"
    keep(folder, [*run(5), *run(5, epoch="ffff", lost=0)])
    Acknowledgements(folder).set("qc", EPOCH, "web-1", Kind.INSPECTION, 2)
    return folder


def test_a_pipeline_keeps_a_journal_that_proves_its_run(
    linescan: Run, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    publishing = ("--set", "publish.data=tcp://127.0.0.1:*")
    keeping = ("--set", "journal.enabled=true", "--set", f"journal.folder={folder}")
    done = linescan("replay", recording, *FRAMES_ONLY, *publishing, *keeping)
    assert done.code == 0, done.err
    verified = linescan("journal", "verify", folder)
    assert verified.code == 0, verified.err
    assert re.search(r"\w{8}: proven: 1200 lines captured, 1200 published", verified.out)
    assert "every checksum is right" in verified.out


def test_ls(linescan: Run, journal: Path) -> None:
    shown = linescan("journal", "ls", journal)
    assert shown.code == 0, shown.err
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[0][-3:] == ["not", "in", "use"]
    assert ["00000000", "web-1", "inspection", "0", "4", "5"] in [row[:6] for row in rows]
    assert ["ffff", "web-1", "event", "0", "1", "2"] in [row[:6] for row in rows]
    assert ["qc", "00000000", "web-1", "inspection", "2", "2"] in rows


def test_ls_as_json(linescan: Run, tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, section())
    writer.open()
    for entry in run(5):
        if entry.key.kind is Kind.INSPECTION and entry.key.seq == 3:
            writer.note_missing(entry.key)
        else:
            put(writer, [entry])
    writer.sync()
    found = json.loads(linescan("journal", "ls", tmp_path, "--json").out)
    assert found["in_use"] is True
    streams = {stream["kind"]: stream for stream in found["epochs"][0]["streams"]}
    assert streams["inspection"]["gaps"] == [[3, 1]]
    assert streams["inspection"]["messages"] == 4
    assert found["bytes"] == sum(p.stat().st_size for p in Folder(tmp_path).segments.iterdir())
    writer.close()
    assert json.loads(linescan("journal", "ls", tmp_path, "--json").out)["in_use"] is False


def flip(journal: Path, *, at_half: bool) -> None:
    """Flip a bit: in the head of an event in the middle, or in the body of an inspection."""
    path = Folder(journal).segment(1)
    data = bytearray(path.read_bytes())
    at = len(data) // 2 if at_half else len(data) // 3
    assert (b"LSRECD" in data[at - 300 : at]) == at_half
    data[at] ^= 1
    path.write_bytes(data)


def test_verify_finds_a_flipped_bit(linescan: Run, journal: Path) -> None:
    flip(journal, at_half=False)
    found = linescan("journal", "verify", journal)
    assert found.code == 1
    assert "wrong: web-1/inspection" in found.err
    assert "its bytes do not fit their checksum" in found.err
    assert "14 messages in 1 segments" in found.out
    assert found.out.endswith("1 places are damaged\n")


COUNTS = {"mcap": 15, "jsonl": 15, "csv": 8, "parquet": 8, "whole-csv": 0, "whole-parquet": 0}


@pytest.mark.parametrize(("to", "count"), COUNTS.items())
def test_export(linescan: Run, journal: Path, tmp_path: Path, to: str, count: int) -> None:
    out = tmp_path / f"new/out.{to}"
    done = linescan("journal", "export", journal, "--to", to, "--out", out)
    assert done.code == 0, done.err
    assert done.out.startswith(f"{out}: {count} ")
    assert out.stat().st_size > 100
    again = linescan("journal", "export", journal, "--to", to, "--out", out)
    assert again.code == 2
    assert "--overwrite" in again.err


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from linescan.cli import main
main()
"""


@pytest.mark.parametrize("to", ["parquet", "whole-parquet"])
def test_export_without_the_package_for_it(
    start: Start, journal: Path, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "new/x"
    arguments = ("journal", "export", journal, "--out", out, "--to")
    done = Result(start(*arguments, to, script=WITHOUT_PYARROW))
    assert done.code == 2
    assert "error: this needs the package 'pyarrow'" in done.err
    assert "pip install '.[journal]'" in done.err
    assert "Traceback" not in done.err
    assert not out.parent.exists()
    done = Result(start(*arguments, to.replace("parquet", "csv"), script=WITHOUT_PYARROW))
    assert done.code == 0, done.err


def test_export_of_a_part(linescan: Run, journal: Path, tmp_path: Path) -> None:
    some = ("--epoch", "last", "--first", "1", "--last", "2")
    done = linescan("journal", "export", journal, "--to", "tiff", "--out", tmp_path / "t", *some)
    assert done.code == 0, done.err
    assert sorted(path.name for path in (tmp_path / "t").glob("*.tiff")) == [
        "web-1_ffff_00000001_depth.tiff",
        "web-1_ffff_00000002_depth.tiff",
    ]


@pytest.mark.parametrize("at_half", [False, True])
def test_export_says_what_was_damaged(
    linescan: Run, journal: Path, tmp_path: Path, at_half: bool
) -> None:
    flip(journal, at_half=at_half)
    done = linescan("journal", "export", journal, "--to", "jsonl", "--out", tmp_path / "x")
    assert done.code == 1
    assert "1 messages are left out" in done.err
    assert len((tmp_path / "x").read_bytes().splitlines()) == 14


def test_an_interrupted_export_leaves_no_half_file(start: Start, tmp_path: Path) -> None:
    keep(tmp_path / "journal", run(2000))
    out = tmp_path / "x.csv"
    exporting = start("journal", "export", tmp_path / "journal", "--to", "csv", "--out", out)
    deadline = time.monotonic() + 30
    while not out.with_name("x.csv.part").exists():
        assert time.monotonic() < deadline
    exporting.send_signal(signal.SIGINT)
    result = Result(exporting)
    assert result.code == 130, result.err
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_prune_by_age(linescan: Run, tmp_path: Path) -> None:
    keep(tmp_path, run(400))
    segments = len(Folder(tmp_path).numbers())
    assert segments > 2
    planned = linescan("journal", "prune", tmp_path, "--older-than", "1h", "--dry-run")
    assert planned.out.startswith(f"would remove {segments - 1} segments")
    assert len(Folder(tmp_path).numbers()) == segments
    nobody = linescan("journal", "prune", tmp_path, "--older-than", "1h", "--keep-for", "qc")
    assert nobody.code == 2
    assert "qc: has acknowledged nothing in this journal; known: nobody has" in nobody.err
    Acknowledgements(tmp_path).set("qc", EPOCH, "web-1", Kind.INSPECTION, 0)
    kept = linescan("journal", "prune", tmp_path, "--older-than", "1h", "--keep-for", "qc")
    assert kept.out.startswith("removed 0 segments")
    done = linescan("journal", "prune", tmp_path, "--older-than", "1h")
    assert done.out.startswith("removed")
    assert len(Folder(tmp_path).numbers()) == 1


def test_prune_by_size(linescan: Run, tmp_path: Path) -> None:
    keep(tmp_path, run(400))
    sized = linescan("journal", "prune", tmp_path, "--to-size", "2.5MB")
    assert sized.code == 0, sized.err
    left = sum(p.stat().st_size for p in Folder(tmp_path).segments.iterdir())
    assert 1_500_000 < left <= 2_500_000
    assert f"{name_size(left)} are left" in sized.out
    assert linescan("journal", "verify", tmp_path).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ls", "nothing"], "nothing: no journal can be read there"),
        (["verify", "nothing"], "no journal can be read there"),
        (["prune", "nothing", "--to-size", "1GB"], "no journal can be read there"),
        (["prune", "{}"], "--older-than TIME, --to-size SIZE, or both"),
        (["prune", "{}", "--older-than", "soon"], "such as 90s, 30m, 36h or 14d"),
        (["prune", "{}", "--to-size", "1 litre"], "such as 500MB or 20GB"),
        (["export", "{}", "--to", "xls", "--out", "x"], "--to xls: expected one of mcap, png"),
        (["export", "{}", "--to", "csv", "--out", "x", "--from", "noon"], "2026-03-01T14:30"),
        (["export", "{}", "--to", "csv", "--out", "x", "--camera", "b"], "it holds cameras web-1"),
        (["export", "{}", "--to", "csv", "--out", "/proc/x/y"], "/proc/x/y: cannot be written"),
    ],
)
def test_errors_say_what_to_do(
    linescan: Run, journal: Path, arguments: list[str], said: str
) -> None:
    result = linescan("journal", *(argument.format(journal) for argument in arguments))
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_units() -> None:
    assert duration_ns("x", "90s") == duration_ns("x", "1.5 m") == 90 * 10**9
    assert duration_ns("x", "2d") == duration_ns("x", "48H")
    assert size_bytes("x", "1.5GB") == 1_500_000_000
    assert size_bytes("x", "20") == 20
    assert moment_ns("x", None) is None
    assert moment_ns("x", "1970-01-01T00:00:02+00:00") == 2 * 10**9
    ago = moment_ns("x", "1h")
    assert ago is not None
    assert 3600 <= time.time() - ago / 1e9 < 3700
    assert [name_size(n) for n in (0, 999, 1500, 25 * 10**8)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2.5 GB",
    ]
    for wrong in ("", "h", "1w", "-1h", "1e3s"):
        with pytest.raises(LinescanError):
            duration_ns("x", wrong)
