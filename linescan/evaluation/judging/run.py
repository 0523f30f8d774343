"""Judging models on a data set, side by side: each frame is drawn once and shown to all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from linescan.config import Config
from linescan.evaluation.datasets import DataSet, DataSetError, TrueFrame
from linescan.evaluation.datasets.grid import height_on
from linescan.evaluation.judging.alignments import (
    Alignment,
    Mode,
    ScaleShift,
    Unaligned,
)
from linescan.evaluation.judging.baselines import Baseline
from linescan.evaluation.judging.calibrated import Calibrated, FromFile, fitted_on
from linescan.evaluation.judging.catalogue import Absent
from linescan.evaluation.judging.frames import FrameFigures, judge_frame
from linescan.evaluation.judging.gallery import Gallery
from linescan.evaluation.judging.models import Judged, open_model
from linescan.evaluation.judging.panels import draw_panels
from linescan.evaluation.judging.segmenting import Segmenter
from linescan.evaluation.judging.verdict import Verdict
from linescan.evaluation.judging.webs import Webs
from linescan.records import DepthMap, FloatArray

TUNED_ON = 24
"""Frames, at most, that a baseline is fitted on; spread over the data set."""
Progress = Callable[[int, int], None]
"""Told how many frames were drawn, and of how many."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        models: names, see ``open_model``.
        config: depth, segmentation and frames.
        mode: how outputs become heights.
        calibration: file of the height calibration in ``config``, for ``calibrated``.
        frames: so many at most, from the first; all where None.
        pictures: keep pictures of some frames.
    """

    models: tuple[str, ...]
    config: Config
    mode: Mode
    calibration: Path | None = None
    frames: int | None = None
    pictures: bool = False


class _Judge:
    """One model on one data set."""

    def __init__(self, name: str, data_set: DataSet, question: Question) -> None:
        self._data_set = data_set
        self._model: Judged = open_model(
            name,
            question.config,
            pictures=data_set.pictures,
            continuous=data_set.continuous,
        )
        self.alignment = _alignment(question, data_set)
        per_frame = self.alignment.per_frame
        section, about = question.config.segmentation, self._model.about()
        follows = data_set.continuous and not about.baseline
        self._segmenter = Segmenter(
            section,
            about,
            per_frame=per_frame,
            overlap=data_set.overlap,
            aligned=follows and question.config.alignment.enabled,
        )
        self._webs = Webs(data_set.unit, per_frame=per_frame)
        self._frames: list[FrameFigures] = []
        self._gallery = Gallery() if question.pictures else None
        self._lines = 0

    @property
    def tunes(self) -> Baseline | None:
        """The baseline that is to be fitted first, if it is one."""
        model = self._model
        return model if isinstance(model, Baseline) and model.needs_fit else None

    def observe(self, frame: TrueFrame) -> None:
        """Fit the alignment on a frame that is not judged."""
        depth = self._model.predict(frame)
        self.alignment.observe(depth, _truth(frame, depth))

    def judge(self, frame: TrueFrame) -> None:
        """Judge a frame."""
        depth = self._model.predict(frame)
        truth = _truth(frame, depth)
        if np.isfinite(truth).any() and np.isfinite(depth.values).any():
            aligned = self.alignment.align(depth, truth)
        else:  # nothing to align: padding, or a part of the web without truth
            return
        found = self._segmenter.segment(frame, depth, aligned)
        unit = self._data_set.unit
        figures = judge_frame(frame.name, depth, aligned, truth, unit)
        self._frames.append(figures)
        self._lines += int(np.count_nonzero(frame.frame.valid[frame.frame.overlap :]))
        self._webs.add(frame, depth, aligned, truth, figures.error, found)
        if self._gallery is not None:
            score = figures.values["rmse_over_sigma"]
            self._gallery.offer(
                frame.name,
                None if isinstance(score, Absent) else score,
                lambda: draw_panels(frame, depth, aligned, truth, found, unit),
            )

    def verdict(self, *, complete: bool) -> Verdict:
        """What came out."""
        whole = self._webs.finish()
        signs = [f.values["scale"] for f in self._frames]
        right = [s > 0 for s in signs if not isinstance(s, Absent)]
        known = right and self.alignment.mode != "none"
        whole["right_sign"] = float(np.mean(right)) if known else Absent("nothing was fitted")
        return Verdict(
            data_set=self._data_set.name,
            data_set_about=self._data_set.about,
            unit=self._data_set.unit,
            model=self._model.about(),
            alignment=self.alignment.statement(),
            frames=self._frames,
            lines=self._lines,
            whole=whole,
            tally=self._webs.tally,
            shown=self._gallery.shown() if self._gallery else [],
            complete=complete,
        )

    def close(self) -> None:
        self._model.close()


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which frames, by number, are drawn for what; in this order."""

    tuned: frozenset[int]
    fitted: frozenset[int]
    judged: frozenset[int]

    @classmethod
    def of(cls, data_set: DataSet, question: Question, judges: Sequence[_Judge]) -> _Plan:
        count = min(data_set.count, question.frames or data_set.count)
        numbers = range(count)
        tunes = any(each.tunes for each in judges)
        fits = judges[0].alignment.fits
        continuous = data_set.continuous
        fitted = {n for n in numbers if fits and fitted_on(n, count, continuous=continuous)}
        tuned = range(0, count, -(-count // TUNED_ON)) if tunes else ()
        return cls(frozenset(tuned), frozenset(fitted), frozenset(numbers) - fitted)

    @property
    def total(self) -> int:
        return len(self.tuned) + len(self.fitted) + len(self.judged)


def judge(data_set: DataSet, question: Question, progress: Progress) -> list[Verdict]:
    """Judge all models on a data set, frame by frame; memory does not grow with their number.

    Ctrl-C ends it with what was judged by then, if that is anything: see ``Verdict.complete``.

    Raises:
        LinescanError: a model or a frame cannot be had, or nothing can be judged.
        KeyboardInterrupt: before the first frame was judged.
    """
    with ExitStack() as open_models:
        judges = []
        for name in question.models:
            judges.append(_Judge(name, data_set, question))
            open_models.callback(judges[-1].close)
        plan = _Plan.of(data_set, question, judges)
        if not plan.judged:
            raise DataSetError(
                f"{data_set.name}: {len(plan.fitted)} frames, all fitted on: none is left to judge"
            )
        counted = _Counted(progress, plan.total)
        _prepare(data_set, judges, plan, counted)
        complete = _judge_all(data_set, judges, plan, counted)
        verdicts = [each.verdict(complete=complete) for each in judges]
    if not verdicts[0].frames:
        raise DataSetError(f"{data_set.name}: no frame has known height: there is none to judge")
    return verdicts


class _Counted:
    """Counts the frames that are drawn."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def frames(self, data_set: DataSet, wanted: frozenset[int]) -> Iterator[TrueFrame]:
        """The wanted frames; each counts once it was worked on."""
        if not wanted:
            return
        for _, frame in islice(data_set.frames(wanted.__contains__), len(wanted)):
            yield frame
            self._done += 1
            self._progress(self._done, self._total)


def _prepare(data_set: DataSet, judges: Sequence[_Judge], plan: _Plan, counted: _Counted) -> None:
    """Fit what is to be fitted before frames are judged."""
    tuned = [baseline for each in judges if (baseline := each.tunes) is not None]
    for frame in counted.frames(data_set, plan.tuned):
        for baseline in tuned:
            baseline.observe(frame)
    for baseline in tuned:
        baseline.settle()
    for frame in counted.frames(data_set, plan.fitted):
        for each in judges:
            each.observe(frame)
    if plan.fitted:
        for each in judges:
            each.alignment.settle()


def _judge_all(data_set: DataSet, judges: Sequence[_Judge], plan: _Plan, counted: _Counted) -> bool:
    """Judge the frames; whether all were."""
    judged = False
    try:
        for frame in counted.frames(data_set, plan.judged):
            for each in judges:
                each.judge(frame)
            judged = True
    except KeyboardInterrupt:
        if not judged:
            raise
        return False
    return True


def _alignment(question: Question, data_set: DataSet) -> Alignment:
    if question.mode == "scale-shift":
        return ScaleShift()
    if question.mode == "none":
        return Unaligned(data_set.unit)
    if question.calibration is not None:
        return FromFile(question.calibration, data_set.unit)
    return Calibrated(data_set.unit, continuous=data_set.continuous)


def _truth(frame: TrueFrame, depth: DepthMap) -> FloatArray:
    shape = (depth.values.shape[0], depth.values.shape[1])
    return height_on(frame.height, frame.height_web, shape, depth.web)
