"""The verdict on one model and one data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linescan.evaluation.figures.objects import HEIGHTS, SIZES, ObjectTally, Rate
from linescan.evaluation.judging.catalogue import BY_KEY, FIGURES, Absent, Value
from linescan.evaluation.judging.frames import FrameFigures
from linescan.evaluation.judging.gallery import Shown
from linescan.evaluation.judging.models import About


@dataclass(slots=True)
class Verdict:
    """All that came out.

    Attributes:
        data_set: its name.
        data_set_about: what it is.
        unit: of its heights.
        model: what was judged.
        alignment: how; see ``Alignment.statement``.
        frames: figures of each judged frame.
        lines: camera lines that were judged, each once.
        whole: figures of the data set as a whole.
        tally: objects by size and height.
        shown: pictures of some frames.
        complete: every frame was judged; False where Ctrl-C ended it early.
    """

    data_set: str
    data_set_about: str
    unit: str
    model: About
    alignment: dict[str, Any]
    frames: list[FrameFigures]
    lines: int
    whole: dict[str, Value]
    tally: ObjectTally
    shown: list[Shown] = field(default_factory=list)
    complete: bool = True

    def value(self, key: str) -> Value:
        """A figure: of a frame's figure the mean over the frames, of ``scale`` the median."""
        if not BY_KEY[key].frames:
            return self.whole[key]
        values = self.values(key)
        if values.size:
            return float(np.median(values) if key == "scale" else values.mean())
        return next(
            (v for f in self.frames if isinstance(v := f.values[key], Absent)),
            Absent("no frame was judged"),
        )

    def values(self, key: str) -> np.typing.NDArray[np.float64]:
        """The known values of a frame's figure, (frames,) or fewer."""
        return np.array([v for f in self.frames if not isinstance(v := f.values[key], Absent)])

    def spread(self, key: str) -> dict[str, float]:
        """Mean, median, smallest and largest value of a frame's figure; empty where unknown."""
        values = self.values(key)
        if not values.size:
            return {}
        return {
            "mean": float(values.mean()),
            "median": float(np.median(values)),
            "min": float(values.min()),
            "max": float(values.max()),
            "frames": values.size,
        }

    def to_json(self) -> dict[str, Any]:
        """As written by ``--json``; see docs/reference/evaluation.md."""
        values = {figure.key: self.value(figure.key) for figure in FIGURES}
        return {
            "data_set": {"name": self.data_set, "about": self.data_set_about, "unit": self.unit},
            "model": {
                "name": self.model.name,
                "sha256": self.model.sha256,
                "engine": self.model.engine,
                "convention": self.model.convention,
                "unit": self.model.unit,
            },
            "alignment": self.alignment,
            "complete": self.complete,
            "frames_judged": len(self.frames),
            "lines_judged": self.lines,
            "figures": {k: None if isinstance(v, Absent) else v for k, v in values.items()},
            "absent": {k: v.reason for k, v in values.items() if isinstance(v, Absent)},
            "spread": {f.key: s for f in FIGURES if f.frames and (s := self.spread(f.key))},
            "objects_by_size_px": _bins(SIZES, self.tally.by_size),
            "objects_by_height_px": _bins(HEIGHTS, self.tally.by_height),
            "frames": [
                {"name": f.name}
                | {k: None if isinstance(v, Absent) else v for k, v in f.values.items()}
                for f in self.frames
            ],
        }


def _bins(edges: tuple[float, ...], rates: list[Rate]) -> list[dict[str, Any]]:
    ends = (*edges[1:], None)
    return [
        {
            "from": low,
            "to": high,
            "found": rate.found,
            "right": rate.right,
            "wanted": rate.wanted,
            "wanted_found": rate.wanted_found,
            "precision": rate.precision,
            "recall": rate.recall,
        }
        for low, high, rate in zip(edges, ends, rates, strict=True)
    ]
