"""Proves a journal: every checksum, every sequence number, and captured = published + lost."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from linescan.client.verify import AuditResult, StreamAudit
from linescan.errors import ProtocolError
from linescan.intervals import IntervalSet
from linescan.journal.folder import Folder, is_locked, opened
from linescan.journal.keys import Stream
from linescan.journal.layout import FILE_HEADER_BYTES, Record
from linescan.journal.recovery import created_ns
from linescan.journal.rescue import left_behind
from linescan.journal.scan import Damage, read_parts, walk
from linescan.protocol import Kind, decode
from linescan.records import Interval

MOST_FINDINGS: Final = 100
"""Findings that are kept in words; all are counted."""
NAMED: Final = 5
"""Runs of sequence numbers that one finding names."""


class Verdict(enum.StrEnum):
    """What can be said of one camera's run."""

    PROVEN = "proven"
    NOT_PROVEN = "not proven"
    RUNNING = "running"
    """Its pipeline still writes: there is no end to hold it against."""
    PRUNED = "partly pruned"
    """Its beginning is gone: what is left can be read, the account cannot be proven."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """One camera in one epoch; ``account`` is that of the messages in the journal."""

    epoch: str
    camera: str
    verdict: Verdict
    account: AuditResult


@dataclass(slots=True)
class Report:
    """What an audit of a journal found.

    Attributes:
        runs: each camera's run, in order of writing.
        findings: what is wrong, in plain words; empty where all is well.
        more: findings beyond ``MOST_FINDINGS``.
        damaged: places whose bytes are not what was written.
        notes: what is worth knowing and not wrong.
        messages: messages whose checksums are right.
        segments: files that were read.
        bytes: their size.
    """

    runs: list[RunReport] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    more: int = 0
    damaged: int = 0
    notes: list[str] = field(default_factory=list)
    messages: int = 0
    segments: int = 0
    bytes: int = 0

    def find(self, finding: str) -> None:
        """Add a finding."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        else:
            self.more += 1


@dataclass(slots=True)
class _Numbers:
    stored: IntervalSet = field(default_factory=IntervalSet)
    missing: IntervalSet = field(default_factory=IntervalSet)


class JournalAudit:
    """Reads a journal from end to end, one message at a time.

    Args:
        folder: the journal's folder.

    Raises:
        JournalError: there is no journal.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder)
        self._folder.check()
        self._progress: Callable[[int], None] = lambda _: None
        self._report = Report()
        self._audits: dict[tuple[str, str], StreamAudit] = {}
        self._numbers: dict[Stream, _Numbers] = {}

    @property
    def total_bytes(self) -> int:
        """Size of all segments now."""
        return sum(map(self._folder.size, self._folder.numbers()))

    def run(self, progress: Callable[[int], None] = lambda _: None) -> Report:
        """Read everything.

        Args:
            progress: called with the number of bytes read so far.

        Raises:
            JournalError: a later version of linescan wrote the journal.
        """
        self._progress = progress
        running = is_locked(self._folder)
        if left := left_behind(self._folder):
            self._report.notes.append(left)
        numbers = self._folder.numbers()
        for number in numbers:
            try:
                self._read(number, last=number == numbers[-1])
            except FileNotFoundError:
                self._report.notes.append(f"segment {number} was pruned meanwhile")
        for stream, seen in self._numbers.items():
            self._check_numbers(stream, seen)
        newest = next(reversed(self._audits), ("", ""))[0]
        for (epoch, camera), audit in self._audits.items():
            self._judge(epoch, camera, audit.result(), running=running and epoch == newest)
        return self._report

    def _read(self, number: int, *, last: bool) -> None:
        report, path = self._report, self._folder.segment(number)
        with opened(path) as handle:
            size = os.fstat(handle).st_size
            if not created_ns(handle, number):
                self._find_damage(f"{path.name}: its header is damaged")
            for found in walk(handle, number, FILE_HEADER_BYTES, size):
                if isinstance(found, Record):
                    self._take(handle, found)
                elif last and found.end == size:
                    self._note_tail(found)
                else:
                    where = f"bytes {found.first} to {found.end - 1}"
                    self._find_damage(f"{path.name}: {where} are damaged")
                self._progress(report.bytes + found.end)
            report.segments += 1
            report.bytes += size

    def _find_damage(self, finding: str) -> None:
        self._report.damaged += 1
        self._report.find(finding)

    def _note_tail(self, tail: Damage) -> None:
        self._report.notes.append(
            f"the last {tail.end - tail.first} bytes are an unfinished write: of the running"
            f" pipeline, or of one that was killed (its next start cuts them)"
        )

    def _take(self, handle: int, record: Record) -> None:
        key = record.key
        seen = self._numbers.setdefault(key.stream, _Numbers())
        if record.missing:
            seen.missing.add(Interval(key.seq, record.missing))
            return
        parts = read_parts(handle, record)
        if parts is None:
            self._find_damage(f"{key}: damaged, its bytes do not fit their checksum")
            return
        if any(run.first <= key.seq < run.end for run in seen.stored):
            self._report.find(f"{key}: it is there twice")
        seen.stored.add(Interval(key.seq, 1))
        try:
            message = decode(parts)
        except ProtocolError as error:
            self._report.find(f"{key}: {error}")
            return
        stamp = message.stamp
        if (stamp.epoch, stamp.camera, message.kind, stamp.seq) != (*key.stream, key.seq):
            self._report.find(f"{key}: another message lies there, {message.kind} {stamp.seq}")
            return
        self._report.messages += 1
        self._audits.setdefault((key.epoch, key.camera), StreamAudit()).feed(message)

    def _check_numbers(self, stream: Stream, seen: _Numbers) -> None:
        known = list(seen.stored.union(seen.missing))
        oldest, end = known[0].first, known[-1].end
        name = f"{stream.camera}/{stream.kind} of epoch {stream.epoch}"
        holes = IntervalSet([Interval(oldest, end - oldest)]).minus(IntervalSet(known))
        if holes.count():
            self._report.find(f"{name}: {_name(holes)} not there, and no gap record says why")
        never = seen.missing.minus(seen.stored)
        if never.count():
            self._report.notes.append(
                f"{name}: {_name(never)} never stored (the disk was full or failed)"
            )
        if oldest:
            self._report.notes.append(f"{name}: begins with {oldest}, what was before is pruned")

    def _judge(self, epoch: str, camera: str, account: AuditResult, *, running: bool) -> None:
        oldest = {
            stream.kind: next(iter(seen.stored.union(seen.missing))).first
            for stream, seen in self._numbers.items()
            if (stream.epoch, stream.camera) == (epoch, camera)
        }
        if any(oldest.values()) or Kind.EVENT not in oldest:
            verdict = Verdict.RUNNING if running else Verdict.PRUNED
        elif running and account.totals is None:
            verdict = Verdict.RUNNING
        else:
            verdict = Verdict.PROVEN if account.ok else Verdict.NOT_PROVEN
        if verdict is Verdict.NOT_PROVEN:
            for finding in account.findings:
                self._report.find(f"{camera} in epoch {epoch}: {finding}")
        self._report.runs.append(RunReport(epoch, camera, verdict, account))


def _name(runs: IntervalSet) -> str:
    named = [f"{run.first}" if run.count == 1 else f"{run.first} to {run.end - 1}" for run in runs]
    more = f" and {len(named) - NAMED} more runs" if len(named) > NAMED else ""
    return f"{runs.count()} messages ({', '.join(named[:NAMED])}{more})"
