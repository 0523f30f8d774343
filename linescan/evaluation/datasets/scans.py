"""A recording with truth, cut into frames as the pipeline would cut it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from linescan.config import Config, RecordingSource
from linescan.evaluation.datasets.base import DataSetError, HeightUnit, TrueFrame, Wanted, every
from linescan.pipeline.chain import set_up, through
from linescan.pipeline.factory import correction_stages
from linescan.recording import Recording
from linescan.records import FloatArray, Frame, LabelArray, WebMap
from linescan.sources.recording import RecordingPlayer
from linescan.stages import Stage
from linescan.stitching import Stitch


class TrueScan:
    """The frames of a recording with truth; see ``DataSet``."""

    unit: HeightUnit = "mm"
    continuous = True
    pictures = False

    def __init__(self, path: Path, config: Config) -> None:
        """Open the recording and check that its truth can be had.

        Args:
            path: its folder.
            config: says how lines are corrected and become frames.

        Raises:
            LinescanError: it is no recording, has no truth, or is damaged.
        """
        self.name = str(path)
        self._path, self._config = path, config
        if config.correction.encoder_resampling.enabled:
            raise DataSetError(
                f"{path}: 'correction.encoder_resampling' makes rows that the truth does not know; "
                "switch it off to evaluate"
            )
        recording = Recording.open(path)
        if recording.truth is None:
            raise DataSetError(
                f"{path}: the recording has no truth; 'linescan simulate' makes recordings that do"
            )
        self._truth = recording.truth
        self._pitch = (recording.header.pitch.along_mm, recording.header.pitch.across_mm)
        self._width, self._bits = recording.header.width, recording.header.bits
        try:
            self._rows, self.overlap = config.frame.resolve(self._width)
        except ValueError as error:
            raise DataSetError(f"'frame': {error}, for a web of {self._width} pixels") from error
        lines = recording.header.lines + recording.header.lost
        step = self._rows - self.overlap
        self.count = max(1, -(-(lines - self.overlap) // step))
        self.about = f"recording with truth, frames of {self._rows}x{self._width}"
        self._objects = self._truth.objects()

    def frames(self, wanted: Wanted = every) -> Iterator[tuple[int, TrueFrame]]:
        """Cut the frames, as ``linescan run`` does."""
        for number, frame in enumerate(self._cut()):
            if wanted(number):
                yield number, self._known_of(frame)

    def _known_of(self, frame: Frame) -> TrueFrame:
        height, web = self._height(frame)
        first, end = frame.first_line, frame.first_line + len(frame.pixels)
        return TrueFrame(
            name=f"line {first}",
            web=0,
            frame=frame,
            bits=self._bits,
            height=height,
            height_web=web,
            labels=self._labels(frame),
            objects=tuple(
                each for each in self._objects if each.first_line < end and each.last_line >= first
            ),
            pitch_mm=self._pitch,
        )

    def _cut(self) -> Iterator[Frame]:
        player = RecordingPlayer(RecordingSource(path=self._path, rate="max"))
        player.open(lambda _: None)
        try:
            corrections, _ = correction_stages(self._config, player.description)
            stitch = Stitch(self._rows, self.overlap, self._config.frame.last)
            stages: list[Stage[Any, Any]] = [*corrections, stitch]
            with set_up(stages):
                for item in player.items():
                    for made in through(stages, item):
                        if isinstance(made, Frame):
                            yield made
                yield from (made for made in stitch.finish() if isinstance(made, Frame))
        finally:
            player.close()

    def _known(self, frame: Frame) -> tuple[int, int]:
        """First line and number of the frame's lines that have truth."""
        header = self._truth.header
        first = max(frame.first_line, header.first_line)
        end = min(frame.first_line + len(frame.pixels), header.first_line + header.lines)
        return first, max(0, end - first)

    def _height(self, frame: Frame) -> tuple[FloatArray, WebMap]:
        first, count = self._known(frame)
        if count:
            return self._truth.height(first, count)
        unknown = np.full((1, self._width), np.nan, np.float32)
        return unknown, WebMap(frame.first_line, 1.0, 0.0, 1.0)

    def _labels(self, frame: Frame) -> LabelArray | None:
        if not self._truth.header.labels:
            return None
        labels = np.zeros(frame.pixels.shape, np.uint16)
        first, count = self._known(frame)
        if count:
            at = first - frame.first_line
            labels[at : at + count] = self._truth.labels(first, count)
        return labels
