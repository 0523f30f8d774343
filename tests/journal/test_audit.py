"""The audit proves what is right, and finds what is wrong: each thing that can be, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from linescan.journal import JournalAudit, JournalWriter, Report, Verdict
from linescan.journal.audit import MOST_FINDINGS
from linescan.journal.folder import Folder
from linescan.protocol import Kind
from tests.journal.entries import message, put, section
from tests.journal.runs import keep, run


def audit(folder: Path) -> Report:
    return JournalAudit(folder).run()


def test_whole_runs_are_proven(tmp_path: Path) -> None:
    keep(tmp_path, [*run(5), *run(3, epoch="second"), *run(0, epoch="third")])
    seen: list[int] = []
    check = JournalAudit(tmp_path)
    report = check.run(seen.append)
    assert report.findings == report.notes == []
    assert [r.verdict for r in report.runs] == [Verdict.PROVEN] * 3
    assert report.runs[0].account.published == 320
    assert report.runs[0].account.lost == {"camera_gap": 10}
    assert report.messages == 8 + 6 + 3
    assert seen == sorted(seen)
    assert seen[-1] == report.bytes == check.total_bytes


def test_a_run_that_was_killed_is_not_proven(tmp_path: Path) -> None:
    keep(tmp_path, run(5, ended=False))
    report = audit(tmp_path)
    assert report.runs[0].verdict is Verdict.NOT_PROVEN
    assert len(report.findings) == 1
    assert "no end event came" in report.findings[0]


def test_a_run_that_is_on_its_way(tmp_path: Path) -> None:
    keep(tmp_path, run(2, epoch="before"))
    writer = JournalWriter(tmp_path, section())
    writer.open()
    put(writer, run(5, ended=False))
    writer.sync()
    report = audit(tmp_path)
    assert [r.verdict for r in report.runs] == [Verdict.PROVEN, Verdict.RUNNING]
    assert report.findings == []
    writer.close()


def test_a_message_that_is_not_there(tmp_path: Path) -> None:
    entries = [e for e in run(5) if (e.key.kind, e.key.seq) != (Kind.INSPECTION, 2)]
    keep(tmp_path, entries)
    report = audit(tmp_path)
    assert any("1 messages (2) not there, and no gap record" in f for f in report.findings)
    assert any("published lines" in f for f in report.findings)
    assert report.runs[0].verdict is Verdict.NOT_PROVEN


def test_a_gap_that_was_noted(tmp_path: Path) -> None:
    entries = run(5)
    writer = JournalWriter(tmp_path, section())
    writer.open()
    for entry in entries:
        if entry.key.kind is Kind.INSPECTION and entry.key.seq in (1, 2):
            writer.note_missing(entry.key)
        else:
            put(writer, [entry])
    writer.close()
    report = audit(tmp_path)
    assert any("2 messages (1 to 2) never stored" in note for note in report.notes)
    assert not any("no gap record" in finding for finding in report.findings)
    assert report.runs[0].verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("where", ["head", "body", "file header"])
def test_a_flipped_bit_is_found(tmp_path: Path, where: str) -> None:
    keep(tmp_path, run(5))
    path = Folder(tmp_path).segment(1)
    data = bytearray(path.read_bytes())
    at = {"file header": 9, "head": data.find(b"\x89LSRECD\n", 3000) + 20, "body": len(data) // 2}
    data[at[where]] ^= 4
    path.write_bytes(data)
    report = audit(tmp_path)
    assert any("damaged" in finding for finding in report.findings)
    assert report.messages == (8 if where == "file header" else 7)


def test_a_torn_tail_is_no_fault(tmp_path: Path) -> None:
    keep(tmp_path, run(5))
    path = Folder(tmp_path).segment(1)
    path.write_bytes(path.read_bytes() + b"\x89LSRECD\n half")
    report = audit(tmp_path)
    assert report.findings == []
    assert "13 bytes are an unfinished write" in report.notes[0]


def test_what_is_pruned_cannot_be_proven_and_is_no_fault(tmp_path: Path) -> None:
    entries = run(400)
    keep(tmp_path, entries)
    Folder(tmp_path).segment(1).unlink()
    report = audit(tmp_path)
    assert report.findings == []
    assert report.runs[0].verdict is Verdict.PRUNED
    assert any("what was before is pruned" in note for note in report.notes)


def test_another_message_in_its_place(tmp_path: Path) -> None:
    from dataclasses import replace

    entries = run(2)
    entries[1] = replace(entries[1], frames=entries[2].frames)
    keep(tmp_path, [*entries, message(9)])
    findings = audit(tmp_path).findings
    assert any("another message lies there, inspection 1" in finding for finding in findings)
    assert any("inspection 9 of epoch" in finding for finding in findings)  # it is no message


def test_findings_are_bounded(tmp_path: Path) -> None:
    keep(tmp_path, [message(seq) for seq in range(MOST_FINDINGS + 50)])
    report = audit(tmp_path)
    assert len(report.findings) == MOST_FINDINGS
    assert report.more == 50


def test_an_empty_journal(tmp_path: Path) -> None:
    keep(tmp_path, [])
    assert audit(tmp_path) == Report()
