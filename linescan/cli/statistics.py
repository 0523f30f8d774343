"""What a run has done so far: counts for the progress display and the summary."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linescan.errors import LinescanError
from linescan.latency import Latency
from linescan.pipeline.runner import Outcome
from linescan.records import Completed, Inspection
from linescan.whole import WholeObject


class Statistics:
    """Counts what leaves the last stage."""

    def __init__(self) -> None:
        self.frames = 0
        self.objects = 0
        self.completed = 0
        self.cut = 0
        self.engine: str | None = None
        self.model: str | None = None
        self.end_to_end = Latency()

    def note(self, result: Any) -> None:
        """Count one result of the pipeline; losses are the ledger's to count."""
        if isinstance(result, Completed):
            self._note_completed(result.objects)
        if not isinstance(result, Inspection):
            return
        self.frames += 1
        self.end_to_end.add(max(0, time.time_ns() - result.frame.acquired_ns))
        if result.model is not None:
            self.engine, self.model = result.model.engine, result.model.name
        if result.segmentation is not None:
            self.objects += len(result.segmentation.objects)
            self._note_completed(result.segmentation.completed)

    def explain(self) -> str:
        """Frames and objects in words."""
        text = f"{self.frames} frames, {self.objects} objects in them"
        if self.completed:
            text += f", {self.completed} complete on the web ({self.cut} of them cut)"
        return text

    def _note_completed(self, objects: Sequence[WholeObject]) -> None:
        self.completed += len(objects)
        self.cut += sum(bool(found.cut) for found in objects)

    def summary(self, outcome: Outcome) -> dict[str, Any]:
        """The run as plain data."""
        seconds = max(outcome.seconds, 1e-9)
        return {
            "ledger": outcome.totals.to_json(),
            "reason": outcome.reason,
            "seconds": round(outcome.seconds, 3),
            "frames": self.frames,
            "objects": self.objects,
            "completed": self.completed,
            "cut": self.cut,
            "lines_per_s": round(outcome.totals.captured / seconds, 1),
            "frames_per_s": round(self.frames / seconds, 3),
            "model": self.model,
            "engine": self.engine,
            "latency": {
                **{name: latency.summary() for name, latency in outcome.latencies.items()},
                "end_to_end": self.end_to_end.summary(),
            },
            "failures": outcome.failures,
            "peak_memory_mb": _peak_memory_mb(),
        }


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write a summary as JSON; raises a ``LinescanError`` where that cannot be done."""
    try:
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise LinescanError(f"{path}: cannot write the summary: {error}") from error


def _peak_memory_mb() -> float | None:
    """Most resident memory so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
