"""Proves from the live stream alone that captured = published + lost, to the line."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from linescan.client.sequences import Gap, Sequences
from linescan.intervals import IntervalSet
from linescan.ledger import Ledger, name_losses
from linescan.protocol import (
    EndEvent,
    EndTotals,
    InspectionMessage,
    Kind,
    LossEvent,
    Message,
    StartEvent,
)
from linescan.records import Cause, Interval, Loss

MOST_FINDINGS: Final = 100
"""Findings that are kept in words; all are counted."""
MOST_INTERVALS: Final = 4096
"""Holes between the lines seen that are remembered; beyond, the older half is forgotten."""
NAMED: Final = 5
"""Runs of lines that one finding names."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Whether the account of one run is proven.

    Attributes:
        ok: every captured line was published or reported lost, and all of it arrived here.
        findings: what contradicts that, in plain words.
        inspections: inspections that arrived.
        published: lines that stand, valid, in them.
        lost: lines reported lost and not published, by cause.
        totals: the publisher's account from the ``end`` event; None where it did not come.
    """

    ok: bool
    findings: tuple[str, ...]
    inspections: int
    published: int
    lost: Mapping[str, int]
    totals: EndTotals | None

    def explain(self) -> str:
        """The verdict in one line, and each finding in another."""
        captured = "unknown" if self.totals is None else str(self.totals.captured)
        verdict = "proven" if self.ok else "NOT proven"
        text = (
            f"{verdict}: {captured} lines captured, {self.published} published in"
            f" {self.inspections} inspections, lost: {name_losses(self.lost)}"
        )
        return "\n".join((text, *(f"- {finding}" for finding in self.findings)))


class StreamAudit:
    """Audits one run of one camera; feed it all ``inspection`` and ``event`` messages.

    It keeps its own ledger from what arrives and compares it with the publisher's. Memory is
    bounded: lines that no frame to come can hold are kept as counts.
    """

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._seen = IntervalSet()
        self._sequences = Sequences((Kind.INSPECTION, Kind.EVENT))
        self._findings: list[str] = []
        self._more = 0
        self._first: Message | None = None
        self._last: InspectionMessage | None = None
        self._end: EndEvent | None = None
        self._inspections = 0

    @property
    def ended(self) -> bool:
        """Whether the ``end`` event has come."""
        return self._end is not None

    def feed(self, message: Message) -> None:
        """Take note of a message; kinds other than inspections and events are ignored."""
        if message.kind not in (Kind.INSPECTION, Kind.EVENT) or self._is_foreign(message):
            return
        if self._first is None:
            self._first = message
        for gap in self._sequences.note(message):
            self._find(self._name_gap(gap, message))
        match message:
            case InspectionMessage():
                self._note_inspection(message)
            case LossEvent():
                self._account(message.lines())
                cause = cast(Cause, message.cause)  # also one that this version does not know
                self._ledger.lose(Loss(message.first_line, message.count, cause, message.estimated))
            case EndEvent():
                self._end = message

    def result(self) -> AuditResult:
        """The verdict on what was fed."""
        totals = self._ledger.totals()
        lost = {str(cause): count for cause, count in totals.lost.items()}
        findings = [*self._findings]
        if self._more:
            findings.append(f"and {self._more} more of this kind")
        findings += self._missing_ends()
        if self._end is not None:
            findings += self._compare(self._end.totals, totals.published, lost)
        return AuditResult(
            ok=not findings,
            findings=tuple(findings),
            inspections=self._inspections,
            published=totals.published,
            lost=lost,
            totals=None if self._end is None else self._end.totals,
        )

    def _is_foreign(self, message: Message) -> bool:
        first = self._first
        if first is None or (first.camera, first.epoch) == (message.camera, message.epoch):
            return False
        if first.camera == message.camera and not self.ended:
            self._find(
                f"the publisher was restarted without an end event, after line {self._last_line()}"
            )
        return True

    def _note_inspection(self, message: InspectionMessage) -> None:
        last = self._last
        if last is not None and message.first_line < last.first_line:
            self._find(
                f"inspection {message.seq} begins at line {message.first_line}, before inspection"
                f" {last.seq} at line {last.first_line}"
            )
        lines = message.lines()
        self._account(lines)
        self._ledger.publish(lines)
        if message.camera_lines is None:
            self._ledger.settle(message.first_line)
        elif lines:
            self._ledger.settle(lines[0].first)
        self._inspections += 1
        self._last = message

    def _account(self, lines: Iterable[Interval]) -> None:
        """Enter lines that were not seen before as captured."""
        fresh = IntervalSet(lines).minus(self._seen)
        self._ledger.capture(fresh)
        for run in fresh:
            self._seen.add(run)
        if len(self._seen) > MOST_INTERVALS:
            runs = list(self._seen)
            half = runs[len(runs) // 2]
            self._seen.add(Interval(runs[0].first, half.end - runs[0].first))

    def _missing_ends(self) -> list[str]:
        if self._first is None:
            return ["nothing was received"]
        findings = []
        if not isinstance(self._first, StartEvent):
            findings.append(
                f"the stream was joined late: lines before {self._first_line()} cannot be proven"
            )
        if self._end is None:
            findings.append(f"no end event came: lines after {self._last_line()} cannot be proven")
        return findings

    def _compare(self, end: EndTotals, published: int, lost: Mapping[str, int]) -> list[str]:
        findings = []
        if published != end.published:
            findings.append(
                f"the end event counts {end.published} published lines, {published} stand in the"
                f" inspections that arrived (up to line {self._last_line()})"
            )
        for cause in sorted({*lost, *end.lost}):
            counted, reported = end.lost.get(cause, 0), lost.get(cause, 0)
            if counted != reported:
                findings.append(
                    f"the end event counts {counted} lines lost by {cause}, loss events that"
                    f" arrived name {reported}"
                )
        if not end.balanced:
            findings.append(
                f"the publisher's account does not balance: {end.captured} captured, but"
                f" {end.published} published and {sum(end.lost.values())} lost;"
                f" {end.unaccounted} have no fate, {end.phantom} were never captured;"
                f" neither published nor reported lost: {self._holes()}"
            )
        return findings

    def _name_gap(self, gap: Gap, message: Message) -> str:
        if gap.kind is Kind.EVENT:
            return f"{gap}: losses after line {self._last_line()} may be missing"
        begin = "the first" if self._last is None else str(self._last_line() + 1)
        if isinstance(message, InspectionMessage):
            upto = f"to {message.first_line + message.overlap - 1}"
        else:
            upto = "to the last"
        return f"{gap}: lines {begin} {upto} may stand there"

    def _holes(self) -> str:
        """Runs of lines between the first and the last line seen that have no fate."""
        runs = list(self._seen)
        pairs = itertools.pairwise(runs)
        holes = [f"lines {a.end} to {b.first - 1}" for a, b in pairs]
        more = f" and {len(holes) - NAMED} more runs" if len(holes) > NAMED else ""
        last = f"lines after {runs[-1].end - 1}" if runs else "all lines"
        return (", ".join(holes[:NAMED]) + more) or last

    def _first_line(self) -> int:
        return next((run.first for run in self._seen), 0)

    def _last_line(self) -> int:
        """The last line of the last inspection; -1 before the first."""
        return -1 if self._last is None else self._last.first_line + self._last.line_count - 1

    def _find(self, finding: str) -> None:
        if finding in self._findings:
            return
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(finding)
        else:
            self._more += 1
