"""The inference stage: model inputs in, inspections with a depth map out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from linescan.depth.backends.base import Engine
from linescan.errors import ModelError
from linescan.records import (
    Cause,
    DepthMap,
    FloatArray,
    Inspection,
    Loss,
    ModelInput,
    ModelTag,
)
from linescan.stages import MapStage


class Inference(MapStage[ModelInput, Inspection]):
    """Runs the engine, applies the model's scale and shift, and tags the result.

    Args:
        open_engine: called by ``setup``; a restarted stage opens a new engine.
    """

    name = "infer"
    failure = Cause.INFERENCE_FAILURE

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open_engine = open_engine
        self._engine: Engine | None = None

    def setup(self) -> None:
        """Load the model; raises ``ModelError`` where no engine can be had."""
        self.teardown()
        self._engine = self._open_engine()

    def process(self, item: ModelInput) -> Iterable[Inspection | Loss]:
        """Run one image; a ``ModelError`` means that this frame has no depth."""
        engine = self._engine
        if engine is None:
            raise ModelError("the inference stage was not set up")
        card = engine.card
        depth = DepthMap(
            values=self._values(engine, item),
            convention=card.convention,
            unit=card.unit,
            scale=card.scale,
            shift=card.shift,
            confidence=None,
            valid=item.valid,
            web=item.web,
        )
        yield Inspection(
            frame=item.frame,
            depth=depth,
            model=ModelTag(card.name, card.sha256, engine.name),
        )

    def teardown(self) -> None:
        """Free the engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    @staticmethod
    def _values(engine: Engine, item: ModelInput) -> FloatArray:
        if not item.valid.any():
            return np.full(engine.size, np.nan, np.float32)
        values = engine.infer(item.image)
        values *= np.float32(engine.card.scale)
        values += np.float32(engine.card.shift)
        values[~item.valid] = np.nan
        return values
