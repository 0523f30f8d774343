"""The inference stage: model inputs in, inspections with a depth map out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from linescan.depth.engine import Engine
from linescan.depth.framing import Framing, Size
from linescan.depth.framing.assemble import Assembled, assemble
from linescan.depth.warm_up import FrameCost, measure
from linescan.errors import ModelError
from linescan.latency import Latency
from linescan.records import (
    Cause,
    DepthMap,
    Inspection,
    Loss,
    ModelInput,
    ModelTag,
)
from linescan.stages import MapStage


class Inference(MapStage[ModelInput, Inspection]):
    """Runs the engine, applies the model's scale and shift, and tags the result.

    Args:
        open_engine: called by ``setup`` with rows and columns of the model's input, once for each
            size that the framing needs; a restarted stage opens new engines.
        framing: how frames are laid out.
        report: called by ``setup`` with what a frame costs, measured on the opened engines.
    """

    name = "infer"
    failure = Cause.INFERENCE_FAILURE

    def __init__(
        self,
        open_engine: Callable[[Size], Engine],
        framing: Framing,
        report: Callable[[FrameCost], None] | None = None,
    ) -> None:
        self._open_engine = open_engine
        self._framing = framing
        self._report = report
        self._engines: dict[Size, Engine] = {}
        self._fallbacks = 0
        self._running, self._aligning = Latency(), Latency()

    def setup(self) -> None:
        """Load the model; raises ``ModelError`` where no engine can be had."""
        self.teardown()
        for size in dict.fromkeys(self._framing.nominal.passes):
            self._engines[size] = self._open_engine(size)
        if self._report is not None:
            self._report(measure(self._framing.nominal, self._engines))

    def process(self, item: ModelInput) -> Iterable[Inspection | Loss]:
        """Run one image; a ``ModelError`` means that this frame has no depth."""
        engine = self._engines.get(self._framing.size)
        if engine is None:
            raise ModelError("the inference stage was not set up")
        card = engine.card
        began = time.perf_counter_ns()
        made = self._depth(engine, item)
        self._running.add(time.perf_counter_ns() - began - made.align_ns)
        if made.align_ns:
            self._aligning.add(made.align_ns)
        depth = DepthMap(
            values=made.values,
            convention=card.convention,
            unit=card.unit,
            scale=card.scale,
            shift=card.shift,
            confidence=made.confidence,
            valid=item.valid,
            web=item.web,
        )
        yield Inspection(
            frame=item.frame,
            depth=depth,
            model=ModelTag(card.name, card.sha256, engine.name),
        )

    def teardown(self) -> None:
        """Free the engines."""
        while self._engines:
            _, engine = self._engines.popitem()
            self._fallbacks += engine.fallbacks
            engine.close()

    @property
    def steps(self) -> Mapping[str, Latency]:
        """Of tiles: the passes of the model, and fitting and blending what they gave."""
        if len(self._framing.nominal.passes) == 1:
            return {}
        return {self.name: self._running, "align": self._aligning}

    @property
    def partial_failures(self) -> Mapping[str, int]:
        """``fallback``: how often another engine took over from one that failed."""
        running = sum(engine.fallbacks for engine in tuple(self._engines.values()))
        return {"fallback": self._fallbacks + running}

    def _depth(self, engine: Engine, item: ModelInput) -> Assembled:
        pixels = item.frame.pixels
        plan = self._framing.plan((pixels.shape[0], pixels.shape[1]))
        if not item.valid.any():
            return Assembled(np.full(plan.canvas, np.nan, np.float32), None)
        coarse = None if plan.coarse_window is None else self._engines[plan.coarse_window].infer
        made = assemble(plan, item.image, item.valid, engine.infer, coarse)
        values = made.values
        values *= np.float32(engine.card.scale)
        values += np.float32(engine.card.shift)
        values[~item.valid] = np.nan
        return made
