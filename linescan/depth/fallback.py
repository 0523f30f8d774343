"""An engine that is replaced by the next one when it fails, with no image lost."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from linescan.depth.backends.base import Engine, LoadedModel, check_image
from linescan.depth.candidates import REFERENCE, Candidate
from linescan.depth.choice import Chooser
from linescan.depth.gate import Gate
from linescan.errors import ModelError
from linescan.records import FloatArray

log = logging.getLogger(__name__)


class FallbackEngine(Engine):
    """Runs images on an engine until it fails where the fp32 reference does not.

    The failing image then goes through the reference, so that it is not lost; the engine is closed
    for good, and the first successor takes over that loads, passes the gate and agrees with the
    reference on that very image. The last successor is the reference. Where the reference fails on
    the image too, the image or the model is at fault: the engine stays.

    Args:
        engine: to begin with.
        successors: what may take over, in this order.
        chooser: loads them.
    """

    def __init__(
        self, engine: LoadedModel, successors: Sequence[Candidate], chooser: Chooser
    ) -> None:
        self._successors = [each for each in successors if each != REFERENCE]
        self._chooser = chooser
        self._reference: LoadedModel | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._adopt(engine)

    def infer(self, image: npt.NDArray[np.uint8]) -> FloatArray:
        """See ``Engine.infer``; another engine may take over."""
        check_image(self, image)
        with self._lock:
            if self._closed:
                raise ModelError(f"{self.name}: the engine is closed")
            try:
                return self._engine.infer(image)
            except ModelError as error:
                if self._engine is self._reference:
                    raise
                return self._recover(image, error)

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._lock:
            self._closed = True
            for engine in {self._engine, self._reference or self._engine}:
                engine.close()

    def _adopt(self, engine: LoadedModel) -> None:
        self._engine = engine
        self.card, self.size = engine.card, engine.size
        self.backend, self.precision = engine.backend, engine.precision
        self.device, self.deviation = engine.device, engine.deviation

    def _recover(self, image: npt.NDArray[np.uint8], error: ModelError) -> FloatArray:
        """The image's depth from elsewhere; raises ``error`` where the reference fails too."""
        try:
            if self._reference is None:
                self._reference = self._chooser.load(REFERENCE)
                self._reference.deviation = 0.0
            expected = self._reference.infer(image)
        except ModelError as again:
            raise ModelError(f"{error}; the fp32 reference fails too: {again}") from error
        broken = self._engine
        with contextlib.suppress(Exception):  # what is broken may fail to close
            broken.close()
        output = self._replace(image, expected)
        self.fallbacks += 1
        log.warning(
            "depth engine %s failed (%s): %s takes over, no frame is lost; %d such since the start",
            broken.name,
            error,
            self.name,
            self.fallbacks,
        )
        return output

    def _replace(self, image: npt.NDArray[np.uint8], expected: FloatArray) -> FloatArray:
        """Adopt the next engine that works; the image's depth from it."""
        assert self._reference is not None  # noqa: S101 - loaded by the caller
        gate = self._gate(self._reference, image)
        while gate is not None and self._successors:
            candidate = self._successors.pop(0)
            try:
                engine, _ = self._chooser.load_checked(candidate, gate, rebuild=False)
            except ModelError as error:
                log.warning("depth engine %s cannot take over: %s", candidate.name, error)
                continue
            try:
                output = engine.infer(image)
            except ModelError as error:
                log.warning("depth engine %s cannot take over: %s", candidate.name, error)
                engine.close()
                continue
            self._adopt(engine)
            return output
        self._adopt(self._reference)
        return expected

    def _gate(self, reference: LoadedModel, image: npt.NDArray[np.uint8]) -> Gate | None:
        """A gate with the failing image as well; None where the reference cannot run it."""
        try:
            return Gate(reference, self._chooser.tolerance, frames=[image])
        except ModelError as error:
            log.warning("no other depth engine can be checked: %s", error)
            return None
