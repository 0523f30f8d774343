"""The document that ``linescan evaluate --json`` writes; see docs/reference/evaluation.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linescan.evaluation.judging.catalogue import Absent
from linescan.evaluation.judging.verdict import Verdict
from linescan.version import __version__

FORMAT, VERSION = "linescan-evaluation", 1


def to_document(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """All verdicts, for JSON; numbers are finite, and null where there is none."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "software": f"linescan {__version__}",
        "complete": all(verdict.complete for verdict in verdicts),
        "results": [
            verdict.to_json() | {"over_best_baseline": over_best_baseline(verdict, verdicts)}
            for verdict in verdicts
        ],
    }


def over_best_baseline(verdict: Verdict, verdicts: Sequence[Verdict]) -> float | None:
    """RMSE / σ of a model over that of the best baseline judged on the same data set."""
    mine = verdict.value("rmse_over_sigma")
    others = [
        value
        for other in verdicts
        if other.model.baseline and other.data_set == verdict.data_set
        if not isinstance(value := other.value("rmse_over_sigma"), Absent)
    ]
    if verdict.model.baseline or isinstance(mine, Absent) or not others or min(others) <= 0:
        return None
    return mine / min(others)
