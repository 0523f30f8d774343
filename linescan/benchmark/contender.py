"""What takes part in the rounds: an engine of ours, or a baseline."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from linescan.depth.engine import Engine
from linescan.depth.resize import Resize
from linescan.records import FloatArray, Frame, ModelInput

GrayFrame = npt.NDArray[np.uint8]
"""(rows, columns) uint8, a camera frame."""


class Contender(ABC):
    """Turns a camera frame into depth; what happens in ``run`` is what is timed.

    Attributes:
        name: such as ``openvino-bf16``.
        precision: of the arithmetic.
        device: where it runs, for people.
        contains: what ``run`` does, for people.
        model_ns: how long the model alone took in the last ``run``.
    """

    precision: str
    device: str
    contains: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.model_ns = 0

    @abstractmethod
    def run(self, frame: GrayFrame) -> FloatArray:
        """Depth of a frame, float32, as whoever asked for it gets it."""

    @abstractmethod
    def depth_of(self, image: GrayFrame) -> FloatArray:
        """Depth of an image that has the model's size already: to compare arithmetic, not timed."""

    @abstractmethod
    def close(self) -> None:
        """Free the model."""


class EngineContender(Contender):
    """One of our engines behind the pipeline's own resizing.

    Args:
        engine: open; closed with the contender.
        name: in the tables; the engine's own where None.
    """

    def __init__(self, engine: Engine, name: str | None = None) -> None:
        super().__init__(name or engine.name)
        self.engine = engine
        self.precision = self.name.partition("-")[2]
        self.device = engine.device
        how = "resize by area" if engine.card.frame_size is None else "the model resizes"
        self.contains = f"uint8 frame, {how}, engine, float32 depth at the model's size"

    def run(self, frame: GrayFrame) -> FloatArray:
        """Resize and infer, as the pipeline's stages do."""
        return self.depth_of(self.ready(frame))

    def ready(self, frame: GrayFrame) -> GrayFrame:
        """The image that the engine takes: the frame resized, or the frame itself."""
        if self.engine.card.frame_size is not None:
            return frame
        return resize(frame, self.engine.size)

    def depth_of(self, image: GrayFrame) -> FloatArray:
        """Infer."""
        began = time.perf_counter_ns()
        values = self.engine.infer(image)
        self.model_ns = time.perf_counter_ns() - began
        return values

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def resize(frame: GrayFrame, size: tuple[int, int]) -> GrayFrame:
    """A frame at the model's size, made by the pipeline's stage."""
    whole = Frame(frame, 0, np.ones(len(frame), np.bool_), 0, time.time_ns())
    (item,) = Resize(size).process(whole)
    assert isinstance(item, ModelInput)  # noqa: S101 - a whole frame gives one model input
    return item.image
