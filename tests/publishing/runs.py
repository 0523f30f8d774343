"""Runs of a pipeline as its last stage sees them, and what became of each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from linescan.ledger import Ledger
from linescan.records import Cause, Frame, Inspection, Interval, Loss

Items = Sequence[Inspection | Loss]


@dataclass(frozen=True)
class Run:
    """Captured lines, and items in the order in which they reach the last stage."""

    captured: tuple[Interval, ...]
    items: Items

    def ledger(self) -> Ledger:
        ledger = Ledger()
        ledger.capture(self.captured)
        return ledger

    def fates(self) -> tuple[int, Counter[str]]:
        """Published lines and lost lines by cause, counted one by one."""
        fate: dict[int, str] = {}
        for item in self.items:
            for run in item.lines():
                for line in range(run.first, run.end):
                    if isinstance(item, Loss):
                        fate.setdefault(line, str(item.cause))
                    else:
                        fate[line] = "published"
        counts = Counter(fate.values())
        return counts.pop("published", 0), counts


def bare(first_line: int, valid: Sequence[bool], overlap: int = 0) -> Inspection:
    """An inspection that holds a frame alone."""
    return Inspection(
        Frame(
            pixels=np.zeros((len(valid), 4), np.uint8),
            first_line=first_line,
            valid=np.array(valid, np.bool_),
            overlap=overlap,
            acquired_ns=1,
        )
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Frames whose height and overlap vary, rows that were never captured or lost, lost frames."""
    items: list[Inspection | Loss] = []
    line = shared = 0
    for _ in range(draw(st.integers(0, 12))):
        rows = draw(st.integers(1, 10))
        overlap = draw(st.integers(0, min(shared, rows)))
        first = line - overlap
        fates = ["ok"] * overlap + draw(
            st.lists(
                st.sampled_from(["ok", "ok", "ok", "never", *list(Cause)[:3]]),
                min_size=rows - overlap,
                max_size=rows - overlap,
            )
        )
        items += [
            Loss(first + i, 1, Cause(fate), draw(st.booleans()))
            for i, fate in enumerate(fates)
            if fate not in ("ok", "never")
        ]
        valid = [fate == "ok" for fate in fates]
        frame = bare(first, valid, overlap)
        if draw(st.integers(0, 4)):
            items.append(frame)
        else:
            items += [Loss(r.first, r.count, Cause.INFERENCE_FAILURE) for r in frame.lines()]
        line, shared = first + rows, rows // 2
        line += draw(st.sampled_from([0, 0, 0, 5]))
        shared *= line == first + rows
    captured = tuple(run for item in items for run in item.lines())
    return Run(captured, items)
